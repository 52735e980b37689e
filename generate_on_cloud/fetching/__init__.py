"""Fetches URLs that users supply, without giving them access to our own network."""
