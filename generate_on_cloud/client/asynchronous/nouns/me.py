"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.me`."""

from typing import Any

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.me import Me
from generate_on_cloud.contract.accounts import MeView
from generate_on_cloud.contract.preferences import PreferencesView


class AsyncMe:
    def __init__(self, sync: Me, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def get(self) -> MeView:
        """The key's owner, role, permissions and quotas; every valid key may ask."""
        return await self._threads.run(self._sync.get)

    async def preferences(self) -> PreferencesView:
        """What the user prefers in front ends: a JSON object, each front end's part under its name."""
        return await self._threads.run(self._sync.preferences)

    async def keep_preferences(self, preferences: dict[str, Any], *, seen: str | None = None) -> PreferencesView:
        """Replace the preferences, up to 16 KiB; `seen`: only while they have this `tag`."""
        return await self._threads.run(self._sync.keep_preferences, preferences=preferences, seen=seen)

    async def trust(self, users: list[str]) -> MeView:
        """Let the embeddings, styles, VAEs and interrogators of these users act on your jobs without being named."""
        return await self._threads.run(self._sync.trust, users=users)
