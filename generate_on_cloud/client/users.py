"""The client's users: create, change and delete them."""

from collections.abc import Iterator

from generate_on_cloud.client.connection import Connection, in_path
from generate_on_cloud.contract.accounts import CreateUser, PatchUser, PutUser, Removed, UserPage, UserView


class Users:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[UserView]:
        """All users by name; one request for each hundred.

        Raises:
            ProblemError: `forbidden`.
        """
        return (user for page in self._connection.pages(UserPage, "/v1/users") for user in page.users)

    def get(self, name: str) -> UserView:
        """One user.

        Raises:
            ProblemError: `forbidden`, `not_found`.
        """
        return self._connection.ask(UserView, "GET", f"/v1/users/{in_path(name)}")

    def create(self, user: CreateUser) -> UserView:
        """Create a user; keys follow by `keys.create`, or an invitation by `sessions.create_code`.

        Raises:
            ProblemError: `forbidden`, `name_taken`, `not_found` if the role does not exist.
        """
        return self._connection.ask(UserView, "POST", "/v1/users", body=user)

    def replace(self, name: str, user: PutUser) -> UserView:
        """Replace the role and the quotas; quotas that are not given are taken away.

        Raises:
            ProblemError: `forbidden`, `not_found`, `last_admin`.
        """
        return self._connection.ask(UserView, "PUT", f"/v1/users/{in_path(name)}", body=user)

    def change(self, name: str, changes: PatchUser) -> UserView:
        """Change what is given; a quota of None removes it, `disabled` locks the user out or in again.

        Raises:
            ProblemError: `forbidden`, `not_found`, `last_admin`, `invalid_params`.
        """
        return self._connection.ask(UserView, "PATCH", f"/v1/users/{in_path(name)}", body=changes)

    def delete(self, name: str) -> Removed:
        """Delete a user and their keys; jobs and model files stay, and the name is never used again.

        Raises:
            ProblemError: `forbidden`, `not_found`, `last_admin`.
        """
        return self._connection.ask(Removed, "DELETE", f"/v1/users/{in_path(name)}")
