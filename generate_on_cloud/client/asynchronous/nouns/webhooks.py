"""Made by `python -m generate_on_cloud.client.asynchronous` from `generate_on_cloud.client.webhooks`."""

from generate_on_cloud.client.asynchronous.threads import Threads
from generate_on_cloud.client.webhooks import Webhooks
from generate_on_cloud.contract.accounts import WebhookSecret
from generate_on_cloud.contract.webhooks import DeliveryList


class AsyncWebhooks:
    def __init__(self, sync: Webhooks, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    async def new_secret(self, *, keep_previous: bool = True) -> WebhookSecret:
        """Create the secret that signs the webhooks of your jobs; shown only in this answer."""
        return await self._threads.run(self._sync.new_secret, keep_previous=keep_previous)

    async def deliveries(self, job_id: str) -> DeliveryList:
        """The attempts to deliver a job's webhook, oldest first."""
        return await self._threads.run(self._sync.deliveries, job_id=job_id)

    async def redeliver(self, job_id: str) -> DeliveryList:
        """Deliver a finished job's webhook once more; returns the attempts so far."""
        return await self._threads.run(self._sync.redeliver, job_id=job_id)
