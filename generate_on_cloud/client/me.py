"""The client's own user: who the key belongs to, what it may do, and what the user prefers."""

from typing import Any

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.accounts import MeView, PatchMe
from generate_on_cloud.contract.preferences import PreferencesView, PutPreferences


class Me:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> MeView:
        """The key's owner, role, permissions and quotas; every valid key may ask.

        Raises:
            ProblemError: `unauthorized`.
        """
        return self._connection.ask(MeView, "GET", "/v1/me")

    def preferences(self) -> PreferencesView:
        """What the user prefers in front ends: a JSON object, each front end's part under its name.

        Raises:
            ProblemError: `unauthorized`.
        """
        return self._connection.ask(PreferencesView, "GET", "/v1/me/preferences")

    def keep_preferences(self, preferences: dict[str, Any], *, seen: str | None = None) -> PreferencesView:
        """Replace the preferences, up to 16 KiB; `seen`: only while they have this `tag`.

        Raises:
            ProblemError: `changed_meanwhile`; `invalid_params`, too large.
        """
        headers = None if seen is None else {"If-Match": seen}
        body = PutPreferences(preferences=preferences)
        return self._connection.ask(PreferencesView, "PUT", "/v1/me/preferences", body=body, headers=headers)

    def trust(self, users: list[str]) -> MeView:
        """Let the embeddings, styles, VAEs and interrogators of these users act on your jobs without being named.

        The list replaces the one before.

        Raises:
            ProblemError: `forbidden`, `invalid_params`.
        """
        return self._connection.ask(MeView, "PATCH", "/v1/me", body=PatchMe(trusted=users))
