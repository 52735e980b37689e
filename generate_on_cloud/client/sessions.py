"""The client's sessions: sign in with a key or a one-time code, and out again."""

from collections.abc import Iterable

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import CreatedKey, RevokedKey
from generate_on_cloud.contract.sessions import CreatedSessionCode, CreateSession, CreateSessionCode


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        code: str | None = None,
        label: str = "",
        keep: bool = False,
        permissions: Iterable[Permission] | None = None,
    ) -> CreatedKey:
        """A session's key, for this client's own key or for a one-time code; its `key` is shown only here.

        With a code the client has no key: `GenerateOnCloud(url, "")`. `keep`: 30 days instead of 12 hours.

        Raises:
            ProblemError: `unauthorized`, a wrong key or code; `forbidden`, permissions that the key does not have.
        """
        limits = None if permissions is None else list(permissions)
        body = CreateSession(code=code, label=label, keep=keep, permissions=limits)
        return self._connection.ask(CreatedKey, "POST", "/v1/sessions", body=body)

    def create_code(
        self,
        user: str | None = None,
        *,
        permissions: Iterable[Permission] | None = None,
        minutes: int | None = None,
    ) -> CreatedSessionCode:
        """A one-time code for a session: yours within 60 seconds, or another user's within 15 minutes.

        `minutes`: how long it works instead, 1 to 15.

        Raises:
            ProblemError: `forbidden` if you may not change that user; `not_found`.
        """
        limits = None if permissions is None else list(permissions)
        body = CreateSessionCode(user=user, permissions=limits, minutes=minutes)
        return self._connection.ask(CreatedSessionCode, "POST", "/v1/sessions/codes", body=body)

    def end(self) -> RevokedKey:
        """Sign out: end the session whose key this client has.

        Raises:
            ProblemError: `not_found`, the key is not a session's.
        """
        return self._connection.ask(RevokedKey, "DELETE", "/v1/sessions/current")
