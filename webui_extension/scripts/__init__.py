"""Loaded by the host one by one; this one has nothing to load."""
