"""Texts of the panel, one file for each language."""
