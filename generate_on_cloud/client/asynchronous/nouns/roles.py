"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.roles`."""

from collections.abc import AsyncIterator

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.roles import Roles
from generate_on_cloud.contract.accounts import CreateRole, PutRole, Removed, RoleView


class AsyncRoles:
    def __init__(self, sync: Roles, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    def list(self) -> AsyncIterator[RoleView]:
        """All roles, the built-in ones first; one request for each hundred."""
        return self._threads.each(self._sync.list)

    async def get(self, name: str) -> RoleView:
        """One role."""
        return await self._threads.run(self._sync.get, name=name)

    async def create(self, role: CreateRole) -> RoleView:
        """Create a role."""
        return await self._threads.run(self._sync.create, role=role)

    async def replace(self, name: str, role: PutRole) -> RoleView:
        """Replace the permissions and quotas."""
        return await self._threads.run(self._sync.replace, name=name, role=role)

    async def delete(self, name: str) -> Removed:
        """Delete a role that no user has."""
        return await self._threads.run(self._sync.delete, name=name)
