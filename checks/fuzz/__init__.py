"""Sends generated and absurd requests to a local cloud."""
