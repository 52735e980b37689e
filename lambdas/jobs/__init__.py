"""Jobs: their rows and objects, from valid params to their end."""
