"""Prints the API as an OpenAPI document: `python -m lambdas.api.openapi`."""

import json

from generate_on_cloud import __version__
from lambdas.api.openapi_document import openapi_document
from lambdas.api.table import ROUTES

if __name__ == "__main__":
    print(json.dumps(openapi_document(ROUTES, version=__version__), indent=1, sort_keys=True, ensure_ascii=False))
