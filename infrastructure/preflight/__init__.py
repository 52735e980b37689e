"""Checks before a deployment: each row is fine, worth a look, or stops it and shows the command that fixes it."""
