"""The key that the server works with: narrower than the user's own, made at its start, ended with it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import Login
from generate_on_cloud.contract.access import Permission, allows

_LOG = logging.getLogger(__name__)

NEEDED = (
    Permission.INFERENCE_CREATE,
    Permission.INFERENCE_LIST,
    Permission.ASSET_LIST,
    Permission.ENDPOINT_LIST,
)
"""What a face does: create and read one's own jobs, list files and endpoints."""
LABEL = "goc serve"
_RENEW_BEFORE = 3600.0
"""Seconds before its end at which a new session begins."""


class NarrowSession:
    """A session of the user with no more rights than NEEDED; renewed before it ends."""

    def __init__(self, login: Login, *, clock: Callable[[], float] = time.time) -> None:
        self._login = login
        self._clock = clock
        self._lock = threading.Lock()
        self._cloud: GenerateOnCloud | None = None
        self._until = 0.0

    def cloud(self) -> GenerateOnCloud:
        """The service with a key that is valid now.

        Raises:
            CloudError: the user's own key does not allow one.
        """
        with self._lock:
            if self._cloud is None or self._clock() >= self._until - _RENEW_BEFORE:
                self._cloud, self._until = self._begin()
            return self._cloud

    def end(self) -> None:
        """Sign out, so that the key is worth nothing after the server."""
        with self._lock:
            if self._cloud is None:
                return
            try:
                self._cloud.sessions.end()
            except CloudError as error:
                _LOG.warning("the session of this server was not ended: %s", error)
            self._cloud.close()
            self._cloud = None

    def _begin(self) -> tuple[GenerateOnCloud, float]:
        with GenerateOnCloud(self._login.url, self._login.api_key) as own:
            me = own.me.get()
            require(me.permissions)
            made = own.sessions.create(label=LABEL, permissions=NEEDED)
        until = made.expires_at.timestamp() if made.expires_at else float("inf")
        return GenerateOnCloud(self._login.url, made.key), until


def require(held: Iterable[Permission]) -> None:
    """Check that a key may do what a face does.

    Raises:
        CloudError: it may not; the text names what is missing.
    """
    missing = [needed for needed in NEEDED if not allows(held, needed)]
    if missing:
        raise CloudError(f"your key lacks {', '.join(missing)}, which goc serve needs")
