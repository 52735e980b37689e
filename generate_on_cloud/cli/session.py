"""What one call of `goc` works with: the chosen profile or URL, and the service there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from generate_on_cloud.cli.defaults import Defaults, read_defaults
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.cloud import open_cloud as open_service
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import find_login


@dataclass(frozen=True)
class Session:
    """The root's options."""

    profile: str | None = None
    url: str | None = None


NOTHING_CHOSEN = Session()
_session: ContextVar[Session] = ContextVar("session", default=NOTHING_CHOSEN)


def begin(session: Session) -> None:
    """Use this profile or URL for the rest of the call."""
    _session.set(session)


def chosen() -> Session:
    """The root's options of this call."""
    return _session.get()


@contextmanager
def open_cloud() -> Iterator[GenerateOnCloud]:
    """The service of this call.

    Raises:
        CloudError: there is no login for it.
    """
    session = chosen()
    with open_service(profile=session.profile, url=session.url) as cloud:
        yield cloud


def defaults() -> Defaults:
    """The defaults of this call, from the file.

    Raises:
        CloudError: the file is wrong.
    """
    return read_defaults(profile=chosen().profile)


def service_url() -> str | None:
    """The URL that this call works with; None if it has no login."""
    session = chosen()
    try:
        return find_login(profile=session.profile, url=session.url).url
    except CloudError:
        return None
