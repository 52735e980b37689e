"""Generate on Cloud: what its API, container, client and panels share, one folder per noun."""

__version__ = "0.2.0"
"""The only place of the version: the package, infotext, `GET /v1/health` and the OpenAPI document read it here."""
