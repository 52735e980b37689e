"""The wire between client, API, endpoint and container: typed messages and tables, pydantic and stdlib only.

This package imports nothing else of the project.
"""

CONTRACT_VERSION = 2
"""Raised when an older container could misread a newer request (or an older client a newer answer)."""
