"""When instances come and go: a row for each alarm on the backlog and what it does.

The template's endpoint and those made by the API are scaled by the same rows.
"""

from dataclasses import dataclass
from typing import Final, Protocol

NAMESPACE: Final = "AWS/SageMaker"
PERIOD_SECONDS: Final = 60
DIMENSION: Final = "sagemaker:variant:DesiredInstanceCount"


class ScalingNumbers(Protocol):
    """What differs from endpoint to endpoint."""

    @property
    def min_instances(self) -> int: ...
    @property
    def idle_minutes(self) -> int: ...
    @property
    def backlog_per_instance(self) -> float: ...
    @property
    def scale_out_cooldown_seconds(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class ScalingStep:
    """One alarm on a metric of the endpoint's queue, and the change of its number of instances."""

    name: str
    why: str
    metric: str
    comparison: str
    threshold: float
    minutes: int
    """Of the metric, all beyond the threshold, before the alarm sounds."""
    adjustment_type: str
    adjustment: int
    from_above: bool = False
    """The change holds below the threshold; else above it."""
    cooldown_seconds: int


def scaling_steps(numbers: ScalingNumbers) -> list[ScalingStep]:
    """All steps of an endpoint. The backlog counts what is queued and what runs, so nobody is put to sleep at work."""
    idle_seconds = 60 * numbers.idle_minutes
    return [
        ScalingStep(
            name="WakeUp",
            why="A job waits and no instance runs: starts the first one.",
            metric="HasBacklogWithoutCapacity",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=1,
            # No second instance while the first one still starts: until then the alarm sounds each minute.
            cooldown_seconds=idle_seconds,
        ),
        ScalingStep(
            name="Grow",
            why="More jobs wait for each instance than allowed: starts another one.",
            metric="ApproximateBacklogSizePerInstance",
            comparison="GreaterThanThreshold",
            threshold=numbers.backlog_per_instance,
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=1,
            cooldown_seconds=numbers.scale_out_cooldown_seconds,
        ),
        ScalingStep(
            name="Sleep",
            why="Nothing has been queued or running for the idle minutes: back to the least number of instances.",
            metric="ApproximateBacklogSize",
            comparison="LessThanThreshold",
            threshold=1,
            minutes=numbers.idle_minutes,
            adjustment_type="ExactCapacity",
            adjustment=numbers.min_instances,
            from_above=True,
            # The local cloud, which has no alarms, reads the idle time here.
            cooldown_seconds=idle_seconds,
        ),
    ]
