"""Generate on Cloud: what its API, container, client and panels share; each folder is a noun."""

__version__ = "0.2.0"
"""The one place of the version: the package, infotext, `GET /v1/health` and the OpenAPI document have it from here."""
