"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.keys`."""

import builtins

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.keys import Keys
from generate_on_cloud.contract.accounts import CreatedKey, CreateKey, KeyView, RevokedKey


class AsyncKeys:
    def __init__(self, sync: Keys, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def list(self, user: str | None = None) -> builtins.list[KeyView]:
        """Your keys and sessions, or another user's, oldest first."""
        return await self._threads.run(self._sync.list, user=user)

    async def create(self, key: CreateKey) -> CreatedKey:
        """A new key; its `key` is shown only in this answer."""
        return await self._threads.run(self._sync.create, key=key)

    async def revoke(self, key_id: str) -> RevokedKey:
        """Revoke a key or session; it may work for up to a minute more."""
        return await self._threads.run(self._sync.revoke, key_id=key_id)
