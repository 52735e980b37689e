"""Generate on Cloud: what its API, container, client and panels share, one folder per noun."""

__version__ = "0.3.0"
"""The version: the package, infotext, `GET /v1/health` and the OpenAPI document read it here. The panel inside WebUI
and the TypeScript client import nothing of this and repeat it; `tests/contract/test_facts.py` compares them."""
