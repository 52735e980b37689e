"""What an hour of a GPU costs at the endpoints that were created through the API."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from generate_on_cloud.contract.instances import GPUS, HOUR_USD
from lambdas.endpoints.record import EndpointStore

REMEMBERED_SECONDS = 300.0


@dataclass
class GpuPrices:
    """List prices. An endpoint's instance type never changes, so what is remembered stays true."""

    store: EndpointStore
    monotonic: Callable[[], float] = time.monotonic
    _types: dict[str, str] = field(default_factory=dict)
    _until: float = 0.0

    def hour(self, endpoint: str) -> float:
        """US dollars for an hour of one of its GPUs; 0 if unknown, such as of a deleted endpoint.

        One call every few minutes.
        """
        if self.monotonic() >= self._until:
            self._types = {each.endpoint: each.instance_type for each in self.store.list()}
            self._until = self.monotonic() + REMEMBERED_SECONDS
        instance_type = self._types.get(endpoint, "")
        return HOUR_USD.get(instance_type, 0.0) / GPUS.get(instance_type, 1)
