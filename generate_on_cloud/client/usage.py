"""The client's usage: finished jobs, GPU seconds and their cost."""

from typing import Literal

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import UsageGroup, UsagePage


class Usage:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def month(self, month: str | None = None, *, user: str | None = None) -> UsagePage:
        """The days of a month, such as `2026-11` (None: the current one, UTC), of a user (None: you).

        Raises:
            ProblemError: `forbidden`, `not_found`, `invalid_params`.
        """
        return self._connection.ask(UsagePage, "GET", "/v1/usage", query={"month": month, "user": user})

    def groups(
        self,
        by: Literal["day", "user", "endpoint", "model"],
        month: str | None = None,
        *,
        user: str | None = None,
        everyone: bool = False,
    ) -> list[UsageGroup]:
        """Totals of a month by day, user, endpoint or model: of you, a user or everyone; the largest cost first.

        Raises:
            ProblemError: `forbidden`, `not_found`, `invalid_params`.
        """
        query = {"by": by, "month": month, "user": user, "everyone": "true" if everyone else None}
        found: dict[str, UsageGroup] = {}
        for page in self._connection.pages(UsagePage, "/v1/usage", query=query):
            for group in page.groups:
                before = found.get(group.key)
                found[group.key] = group if before is None else _sum(before, group)
        if by == "day":
            return sorted(found.values(), key=lambda group: group.key)
        return sorted(found.values(), key=lambda group: (-(group.cost or 0.0), -group.gpu_seconds, group.key))

    def everyone(self, month: str | None = None) -> UsagePage:
        """All users' days of a month, by day; one request for each hundred.

        Raises:
            ProblemError: `forbidden`, `invalid_params`.
        """
        query = {"month": month, "everyone": "true"}
        pages = list(self._connection.pages(UsagePage, "/v1/usage", query=query))
        return pages[0].model_copy(update={"days": [day for page in pages for day in page.days], "next_cursor": None})


def _sum(one: UsageGroup, other: UsageGroup) -> UsageGroup:
    costs = [group.cost for group in (one, other) if group.cost is not None]
    return UsageGroup(
        key=one.key,
        jobs=one.jobs + other.jobs,
        gpu_seconds=one.gpu_seconds + other.gpu_seconds,
        cost=sum(costs) if costs else None,
    )
