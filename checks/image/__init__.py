"""The image of the container, built without Docker."""
