"""Callers of a server that has no key itself: each request carries its user's own."""

import base64
import binascii
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.serve.callers import Caller, Files, KeptSettings
from generate_on_cloud.serve.work import Report
from generate_on_cloud.serve.works import Works

MAX_CALLERS = 100
"""Kept at once, with their options and jobs; the one that asked longest ago is forgotten."""
_NO_KEY = (
    "Give your key: as the password of basic auth (any user name), as Authorization: Bearer, or in the header x-api-key"
)

_SERVER = "by key"
"""There is one such server for each service, and a user sees only their own jobs."""

Open = Callable[[str], GenerateOnCloud]
"""The service with this key."""


class KeyCallers:
    """Everybody by their key; only its hash is kept."""

    def __init__(self, open_cloud: Open, report: Report) -> None:
        self._open = open_cloud
        self._report = report
        self._kept = KeptSettings(None)
        self._callers: OrderedDict[str, Caller] = OrderedDict()

    def caller_of(self, request: Request) -> Caller:
        """Who asks.

        Raises:
            RefusalError: 401, there is no key in the request.
        """
        key = key_of(request)
        name = hashlib.sha256(key.encode()).hexdigest()
        if name not in self._callers:
            service = self._open(key)
            works = Works(lambda: service, self._report, clock=time.monotonic, server=_SERVER)
            self._callers[name] = Caller(name, lambda: service, Files(lambda: service), works, self._kept, own_key=True)
        self._callers.move_to_end(name)
        if len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        return self._callers[name]


def key_of(request: Request) -> str:
    """The API key that the request carries.

    Raises:
        RefusalError: 401, there is none.
    """
    kind, _, sent = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key", "")
    if not key and kind.lower() == "bearer":
        key = sent.strip()
    if not key and kind.lower() == "basic":
        try:
            key = base64.b64decode(sent, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise RefusalError(401, _NO_KEY)
    return key
