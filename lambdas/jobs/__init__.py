"""Jobs: their rows and objects, from valid params to a final status."""
