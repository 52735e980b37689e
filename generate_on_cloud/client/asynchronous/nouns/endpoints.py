"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.endpoints`."""

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.endpoints import Endpoints
from generate_on_cloud.contract.accounts import MeView
from generate_on_cloud.contract.endpoints import CreateEndpoint, EndpointView, PatchEndpoint


class AsyncEndpoints:
    def __init__(self, sync: Endpoints, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def list(self) -> list[EndpointView]:
        """The endpoints that take jobs, with their status; the template's first."""
        return await self._threads.run(self._sync.list)

    async def get(self, name: str) -> EndpointView:
        """One endpoint, with SageMaker's current status."""
        return await self._threads.run(self._sync.get, name=name)

    async def create(self, endpoint: CreateEndpoint) -> EndpointView:
        """Create an endpoint; it takes jobs after a few minutes."""
        return await self._threads.run(self._sync.create, endpoint=endpoint)

    async def change(self, name: str, changes: PatchEndpoint) -> EndpointView:
        """Change its scaling or who may use it; None leaves a value as it is."""
        return await self._threads.run(self._sync.change, name=name, changes=changes)

    async def sleep(self, name: str) -> EndpointView:
        """Set it back to its minimum of instances now instead of after its idle minutes; the next job wakes it."""
        return await self._threads.run(self._sync.sleep, name=name)

    async def delete(self, name: str, *, force: bool = False) -> EndpointView:
        """Delete it and everything that belongs to it; its status is `Deleting` until nothing is left."""
        return await self._threads.run(self._sync.delete, name=name, force=force)

    async def choose_default(self, name: str | None) -> MeView:
        """Choose the endpoint for your jobs that name none; None: the least loaded."""
        return await self._threads.run(self._sync.choose_default, name=name)
