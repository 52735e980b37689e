"""The whole service as one object for asyncio."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpx

from generate_on_cloud.client.asynchronous.nouns.assets import AsyncAssets
from generate_on_cloud.client.asynchronous.nouns.endpoints import AsyncEndpoints
from generate_on_cloud.client.asynchronous.nouns.jobs import AsyncJobs
from generate_on_cloud.client.asynchronous.nouns.keys import AsyncKeys
from generate_on_cloud.client.asynchronous.nouns.me import AsyncMe
from generate_on_cloud.client.asynchronous.nouns.roles import AsyncRoles
from generate_on_cloud.client.asynchronous.nouns.sessions import AsyncSessions
from generate_on_cloud.client.asynchronous.nouns.usage import AsyncUsage
from generate_on_cloud.client.asynchronous.nouns.users import AsyncUsers
from generate_on_cloud.client.asynchronous.nouns.webhooks import AsyncWebhooks
from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.login import find_login
from generate_on_cloud.contract.bodies import Health
from generate_on_cloud.contract.capabilities import Capabilities


@asynccontextmanager
async def open_async_cloud(
    *, profile: str | None = None, url: str | None = None
) -> AsyncIterator["AsyncGenerateOnCloud"]:
    """The service the user is logged in to; `profile` and `url` choose another one for this block.

    Raises:
        CloudError: there is no login, or the saved one is damaged.
    """
    login = find_login(profile=profile, url=url)
    async with AsyncGenerateOnCloud(login.url, login.api_key) as cloud:
        yield cloud


class AsyncGenerateOnCloud:
    """The service at `url` (ending in its stage, without `/v1`), used by the owner of `api_key`; empty: no key yet.

    Functions that are passed in, such as `look`, are called in other threads.
    """

    def __init__(self, url: str, api_key: str, *, http: httpx.Client | None = None) -> None:
        self._sync = GenerateOnCloud(url, api_key, http=http)
        self._threads = threads = Threads()
        self.jobs = AsyncJobs(self._sync.jobs, threads)
        self.assets = AsyncAssets(self._sync.assets, threads)
        self.endpoints = AsyncEndpoints(self._sync.endpoints, threads)
        self.sessions = AsyncSessions(self._sync.sessions, threads)
        self.keys = AsyncKeys(self._sync.keys, threads)
        self.me = AsyncMe(self._sync.me, threads)
        self.users = AsyncUsers(self._sync.users, threads)
        self.roles = AsyncRoles(self._sync.roles, threads)
        self.usage = AsyncUsage(self._sync.usage, threads)
        self.webhooks = AsyncWebhooks(self._sync.webhooks, threads)

    async def health(self) -> Health:
        """Version of the service; works without a valid key."""
        return await self._threads.run(self._sync.health)

    async def capabilities(self) -> Capabilities:
        """What the service's version can do: samplers, schedulers, upscalers, scripts, limits; works without a key."""
        return await self._threads.run(self._sync.capabilities)

    async def request(
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
        return await self._threads.run(self._sync.request, method, path, content=content, query=query, headers=headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._threads.run(self._sync.close)
        self._threads.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
