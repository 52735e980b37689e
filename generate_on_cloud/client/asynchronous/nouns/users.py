"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.users`."""

from collections.abc import AsyncIterator

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.users import Users
from generate_on_cloud.contract.accounts import CreateUser, PatchUser, PutUser, Removed, UserView


class AsyncUsers:
    def __init__(self, sync: Users, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    def list(self) -> AsyncIterator[UserView]:
        """All users by name; one request for each hundred."""
        return self._threads.each(self._sync.list)

    async def get(self, name: str) -> UserView:
        """One user."""
        return await self._threads.run(self._sync.get, name=name)

    async def create(self, user: CreateUser) -> UserView:
        """Create a user; keys follow by `keys.create`, or an invitation by `sessions.create_code`."""
        return await self._threads.run(self._sync.create, user=user)

    async def replace(self, name: str, user: PutUser) -> UserView:
        """Replace the role and the quotas; quotas that are not given are taken away."""
        return await self._threads.run(self._sync.replace, name=name, user=user)

    async def change(self, name: str, changes: PatchUser) -> UserView:
        """Change what is given; a quota of None removes it, `disabled` locks the user out or in again."""
        return await self._threads.run(self._sync.change, name=name, changes=changes)

    async def delete(self, name: str) -> Removed:
        """Delete a user and their keys; jobs and model files stay, and the name is never used again."""
        return await self._threads.run(self._sync.delete, name=name)
