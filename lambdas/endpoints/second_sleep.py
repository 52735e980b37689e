"""A second way to sleep, besides the alarm on SageMaker's backlog metric.

The alarm does nothing as long as there is no data, and no document says that SageMaker reports a backlog before an
endpoint's first request: an instance could run, and be paid for, until somebody looks. We know which jobs are open.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from lambdas.aws.errors import error_message
from lambdas.endpoints.choice import EndpointLoad
from lambdas.endpoints.sagemaker import LiveEndpoint

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_LOG = logging.getLogger(__name__)

MARGIN: Final = timedelta(minutes=10)
"""After the idle minutes: the alarm comes first where it works."""


@dataclass(frozen=True)
class SecondSleep:
    sagemaker: "SageMakerClient"
    load: EndpointLoad

    def visit(self, live: LiveEndpoint, *, min_instances: int, idle_minutes: int, now: datetime) -> timedelta | None:
        """Set an endpoint back to `min_instances` that has had no open job for the idle minutes and MARGIN.

        Two calls at most; a job that arrives meanwhile wakes the endpoint again. Returns for how long such an endpoint
        has had no job; None for any other.
        """
        if live.status != "InService" or live.variant is None or live.instance_count <= min_instances:
            return None
        activity = self.load.activity([live.name])[live.name]
        # An endpoint that was just created or changed counts as active: its instance has just started.
        active = [moment for moment in (activity.changed_at, live.created_at, live.modified_at) if moment is not None]
        allowed = timedelta(minutes=idle_minutes) + MARGIN
        idle = now - max(active) if active else allowed
        if activity.open_jobs > 0 or idle < allowed:
            return None
        if self._set_back(live, live.variant, min_instances):
            _LOG.warning(
                "endpoint %s had %d instances and no job for %d minutes; its alarm did not put it to sleep",
                live.name,
                live.instance_count,
                idle.total_seconds() // 60,
            )
        return idle

    def at_once(self, live: LiveEndpoint, *, min_instances: int) -> None:
        """Set an endpoint without an open job back to `min_instances`, as somebody asked. Two calls at most."""
        if live.variant is None or live.instance_count <= min_instances:
            return
        if self.load.of([live.name])[live.name] == 0:
            self._set_back(live, live.variant, min_instances)

    def _set_back(self, live: LiveEndpoint, variant: str, instances: int) -> bool:
        wanted = {"VariantName": variant, "DesiredInstanceCount": instances}
        try:
            self.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=live.name,
                DesiredWeightsAndCapacities=[wanted],  # type: ignore[list-item]
            )
        except ClientError as error:
            _LOG.warning("endpoint %s could not be put to sleep yet: %s", live.name, error_message(error))
            return False
        return True
