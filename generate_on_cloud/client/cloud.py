"""The whole service as one object, with its jobs, assets, endpoints and people as attributes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import httpx

from generate_on_cloud.client.assets import Assets
from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.endpoints import Endpoints
from generate_on_cloud.client.jobs import Jobs
from generate_on_cloud.client.keys import Keys
from generate_on_cloud.client.login import find_login
from generate_on_cloud.client.me import Me
from generate_on_cloud.client.roles import Roles
from generate_on_cloud.client.sessions import Sessions
from generate_on_cloud.client.usage import Usage
from generate_on_cloud.client.users import Users
from generate_on_cloud.client.webhooks import Webhooks
from generate_on_cloud.contract.bodies import Health
from generate_on_cloud.contract.capabilities import Capabilities


@contextmanager
def open_cloud(*, profile: str | None = None, url: str | None = None) -> Iterator["GenerateOnCloud"]:
    """The service the user is logged in to; `profile` and `url` choose another one for this block.

    Raises:
        CloudError: there is no login, or the saved one is damaged.
    """
    login = find_login(profile=profile, url=url)
    with GenerateOnCloud(login.url, login.api_key) as cloud:
        yield cloud


class GenerateOnCloud:
    """The service at `url` (ending in its stage, without `/v1`), used by the owner of `api_key`; empty: no key yet."""

    def __init__(self, url: str, api_key: str, *, http: httpx.Client | None = None) -> None:
        self._connection = Connection(url, api_key, http=http)
        self.jobs = Jobs(self._connection)
        self.assets = Assets(self._connection)
        self.endpoints = Endpoints(self._connection)
        self.sessions = Sessions(self._connection)
        self.keys = Keys(self._connection)
        self.me = Me(self._connection)
        self.users = Users(self._connection)
        self.roles = Roles(self._connection)
        self.usage = Usage(self._connection)
        self.webhooks = Webhooks(self._connection)

    def health(self) -> Health:
        """Version of the service; works without a valid key."""
        return self._connection.ask(Health, "GET", "/v1/health")

    def capabilities(self) -> Capabilities:
        """What the service's version can do: samplers, schedulers, upscalers, scripts, limits; works without a key."""
        return self._connection.ask(Capabilities, "GET", "/v1/capabilities")

    def request(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Any request, for routes that have no method here; `path` begins with `/v1/`, `content` is JSON.

        Raises:
            ConnectionLostError, ProblemError, WrongUrlError: it was not answered, or refused.
        """
        return self._connection.request(method, path, content=content, query=query, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
