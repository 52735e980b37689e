"""Compares the container's results with WebUI's."""
