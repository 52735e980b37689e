"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.sessions`."""

from collections.abc import Iterable

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.sessions import Sessions
from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreatedKey, RevokedKey
from generate_on_cloud.contract.sessions import CreatedSessionCode


class AsyncSessions:
    def __init__(self, sync: Sessions, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def create(
        self,
        *,
        code: str | None = None,
        label: str = "",
        keep: bool = False,
        permissions: Iterable[Permission] | None = None,
    ) -> CreatedKey:
        """A session's key, for this client's own key or for a one-time code; its `key` is shown only here."""
        return await self._threads.run(self._sync.create, code=code, label=label, keep=keep, permissions=permissions)

    async def create_code(
        self, user: str | None = None, *, permissions: Iterable[Permission] | None = None, minutes: int | None = None
    ) -> CreatedSessionCode:
        """A one-time code for a session: yours within 60 seconds, or another user's within 15 minutes."""
        return await self._threads.run(self._sync.create_code, user=user, permissions=permissions, minutes=minutes)

    async def end(self) -> RevokedKey:
        """Sign out: end the session whose key this client has."""
        return await self._threads.run(self._sync.end)
