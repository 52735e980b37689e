"""The client's usage: finished jobs, GPU seconds and their cost."""

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import UsagePage


class Usage:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def month(self, month: str | None = None, *, user: str | None = None) -> UsagePage:
        """The days of a month, such as `2026-11` (None: the current one, UTC), of a user (None: you).

        Raises:
            ProblemError: `forbidden`, `not_found`, `invalid_params`.
        """
        return self._connection.ask(UsagePage, "GET", "/v1/usage", query={"month": month, "user": user})

    def everyone(self, month: str | None = None) -> UsagePage:
        """All users' days of a month, by day; one request for each hundred.

        Raises:
            ProblemError: `forbidden`, `invalid_params`.
        """
        query = {"month": month, "everyone": "true"}
        pages = list(self._connection.pages(UsagePage, "/v1/usage", query=query))
        return pages[0].model_copy(update={"days": [day for page in pages for day in page.days], "next_cursor": None})
