"""The client's API keys: your own and those of users you may change."""

import builtins

from generate_on_cloud.client.connection import Connection, in_path
from generate_on_cloud.contract.accounts import CreatedKey, CreateKey, KeyList, KeyView, RevokedKey


class Keys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, user: str | None = None) -> builtins.list[KeyView]:
        """Your keys and sessions, or another user's, oldest first.

        Raises:
            ProblemError: `forbidden`, `not_found`.
        """
        return self._connection.ask(KeyList, "GET", "/v1/keys", query={"user": user}).keys

    def create(self, key: CreateKey) -> CreatedKey:
        """A new key; its `key` is shown only in this answer.

        Raises:
            ProblemError: `forbidden`, `not_found`, `too_many_keys`, `invalid_params`.
        """
        return self._connection.ask(CreatedKey, "POST", "/v1/keys", body=key)

    def revoke(self, key_id: str) -> RevokedKey:
        """Revoke a key or session; it may work for up to a minute more.

        Raises:
            ProblemError: `not_found`, `forbidden`, `last_admin`.
        """
        return self._connection.ask(RevokedKey, "DELETE", f"/v1/keys/{in_path(key_id)}")
