"""How many instances of an endpoint run, as SageMaker said a few seconds ago."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.endpoints import Endpoints

_LOG = logging.getLogger(__name__)

REMEMBERED_SECONDS = 15.0


@dataclass
class InstanceCounts:
    endpoints: Endpoints
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, int | None]] = field(default_factory=dict)

    def running(self, endpoint: str) -> int | None:
        """Instances that take jobs, up to REMEMBERED_SECONDS ago; None when SageMaker does not say."""
        until, count = self._known.get(endpoint, (0.0, None))
        if self.monotonic() < until:
            return count
        try:
            live = self.endpoints.describe(endpoint)
            count = None if live is None else live.instance_count
        except (ClientError, BotoCoreError):
            _LOG.exception("the instances of %s are not known", endpoint)  # only a phase that is shown hangs on it
            count = None
        self._known[endpoint] = (self.monotonic() + REMEMBERED_SECONDS, count)
        return count
