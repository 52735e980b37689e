"""Removes each IAM grant in turn and shows which scenario then fails."""
