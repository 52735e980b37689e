"""The state of endpoints and how many instances each runs, as SageMaker said a few seconds ago."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.endpoints.sagemaker import LiveEndpoint, SageMakerEndpoints

_LOG = logging.getLogger(__name__)

REMEMBERED_SECONDS = 15.0


@dataclass
class InstanceCounts:
    endpoints: SageMakerEndpoints
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, LiveEndpoint | None]] = field(default_factory=dict)

    def running(self, endpoint: str) -> int | None:
        """Instances that take jobs, as of at most REMEMBERED_SECONDS ago; None if SageMaker does not say."""
        live = self.seen(endpoint)
        return None if live is None else live.instance_count

    def forget(self, endpoint: str) -> None:
        """Ask again next time."""
        self._known.pop(endpoint, None)

    def seen(self, endpoint: str) -> LiveEndpoint | None:
        """The endpoint as of at most REMEMBERED_SECONDS ago; None if SageMaker does not say."""
        until, live = self._known.get(endpoint, (0.0, None))
        if self.monotonic() < until:
            return live
        try:
            live = self.endpoints.describe(endpoint)
        except (ClientError, BotoCoreError):
            _LOG.exception("the instances of %s are unknown", endpoint)  # a guess hangs on it, or a phase shown
            live = None
        self._known[endpoint] = (self.monotonic() + REMEMBERED_SECONDS, live)
        return live
