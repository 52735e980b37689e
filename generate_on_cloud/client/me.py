"""The client's own user: who the key belongs to, what it may do, and what the user prefers."""

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import MeView, PatchMe


class Me:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> MeView:
        """The key's owner, role, permissions and quotas; every valid key may ask.

        Raises:
            ProblemError: `unauthorized`.
        """
        return self._connection.ask(MeView, "GET", "/v1/me")

    def trust(self, users: list[str]) -> MeView:
        """Let the embeddings, styles, VAEs and interrogators of these users act on your jobs without being named.

        The list replaces the one before.

        Raises:
            ProblemError: `forbidden`, `invalid_params`.
        """
        return self._connection.ask(MeView, "PATCH", "/v1/me", body=PatchMe(trusted=users))
