"""Recipe and small weights of the models the demo draws with and the tests measure with."""
