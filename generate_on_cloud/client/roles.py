"""The client's roles: sets of permissions, with quotas."""

from collections.abc import Iterator

from generate_on_cloud.client.connection import Connection, in_path
from generate_on_cloud.contract.accounts import CreateRole, PutRole, Removed, RolePage, RoleView


class Roles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[RoleView]:
        """All roles, the built-in ones first; one request for each hundred.

        Raises:
            ProblemError: `forbidden`.
        """
        return (role for page in self._connection.pages(RolePage, "/v1/roles") for role in page.roles)

    def get(self, name: str) -> RoleView:
        """One role.

        Raises:
            ProblemError: `forbidden`, `not_found`.
        """
        return self._connection.ask(RoleView, "GET", f"/v1/roles/{in_path(name)}")

    def create(self, role: CreateRole) -> RoleView:
        """Create a role.

        Raises:
            ProblemError: `forbidden`, `name_taken`.
        """
        return self._connection.ask(RoleView, "POST", "/v1/roles", body=role)

    def replace(self, name: str, role: PutRole) -> RoleView:
        """Replace the permissions and quotas.

        Raises:
            ProblemError: `forbidden`, `not_found`.
        """
        return self._connection.ask(RoleView, "PUT", f"/v1/roles/{in_path(name)}", body=role)

    def delete(self, name: str) -> Removed:
        """Delete a role that no user has.

        Raises:
            ProblemError: `forbidden`, `not_found`, `role_in_use`.
        """
        return self._connection.ask(Removed, "DELETE", f"/v1/roles/{in_path(name)}")
