"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.usage`."""

from typing import Literal

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.usage import Usage
from generate_on_cloud.contract.accounts import UsageGroup, UsagePage


class AsyncUsage:
    def __init__(self, sync: Usage, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def month(self, month: str | None = None, *, user: str | None = None) -> UsagePage:
        """The days of a month, such as `2026-11` (None: the current one, UTC), of a user (None: you)."""
        return await self._threads.run(self._sync.month, month=month, user=user)

    async def groups(
        self,
        by: Literal["day", "user", "endpoint", "model"],
        month: str | None = None,
        *,
        user: str | None = None,
        everyone: bool = False,
    ) -> list[UsageGroup]:
        """Totals of a month by day, user, endpoint or model: of you, a user or everyone; the largest cost first."""
        return await self._threads.run(self._sync.groups, by=by, month=month, user=user, everyone=everyone)

    async def everyone(self, month: str | None = None) -> UsagePage:
        """All users' days of a month, by day; one request for each hundred."""
        return await self._threads.run(self._sync.everyone, month=month)
