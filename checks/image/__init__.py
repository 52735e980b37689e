"""Builds and checks the container's image without Docker."""
