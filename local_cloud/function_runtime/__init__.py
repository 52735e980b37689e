"""The folder on the PYTHONPATH of functions on the local cloud."""
