"""Callers of a process that answers short requests and may be gone after each: everything is kept in the cloud."""

import time
from collections.abc import Callable

from starlette.requests import Request

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.serve.callers import Caller, Files
from generate_on_cloud.serve.preferred_settings import PreferredSettings
from generate_on_cloud.serve.work import Report
from generate_on_cloud.serve.works import Works

_SERVER = "short calls"
"""There is one such server for each service, and a user sees only their own jobs."""


class ShortCalls:
    """Each request with its user's own key, and nothing of the requests before."""

    def __init__(self, open_cloud: Callable[[Request], GenerateOnCloud], report: Report, *, patience: float) -> None:
        """`open_cloud` gives the service with the request's key; `patience` as in `Works`."""
        self._open = open_cloud
        self._report = report
        self._patience = patience

    def caller_of(self, request: Request) -> Caller:
        """Who asks.

        Raises:
            RefusalError: 401, there is no key in the request.
        """
        service = self._open(request)
        works = Works(lambda: service, self._report, clock=time.monotonic, server=_SERVER, patience=self._patience)
        return Caller("", lambda: service, Files(lambda: service), works, PreferredSettings(service), own_key=True)
