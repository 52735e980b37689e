"""Inspection of model files by bounded range reads; nothing in a file is ever executed."""
