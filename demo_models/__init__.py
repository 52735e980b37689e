"""Training code and small weights of the models that the demo and the tests use."""
