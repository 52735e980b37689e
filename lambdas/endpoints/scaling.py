"""When instances start and stop: one row for each alarm on the backlog and what it does.

The same rows scale the template's endpoint and those created through the API.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

NAMESPACE: Final = "AWS/SageMaker"
PERIOD_SECONDS: Final = 60
GROW: Final = "Grow"
"""The step that starts more instances than one."""
DIMENSION: Final = "sagemaker:variant:DesiredInstanceCount"


START_SECONDS: Final = 15 * 60
"""Longer than an instance usually takes to start and pull the image: ten minutes."""


class ScalingNumbers(Protocol):
    """What differs between endpoints."""

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
    """One alarm on a metric of the endpoint's queue, and the change it makes to the number of instances."""

    name: str
    why: str
    metric: str
    comparison: str
    threshold: float
    statistic: Literal["Average", "Maximum"]
    """Of the metric's samples within a minute."""
    minutes: int
    """Minutes the metric must stay beyond the threshold before the alarm sounds."""
    adjustment_type: str
    adjustment: int
    from_above: bool = False
    """The change applies below the threshold; otherwise above it."""
    cooldown_seconds: int


def scaling_steps(numbers: ScalingNumbers) -> list[ScalingStep]:
    """All steps of an endpoint. The backlog counts queued and running jobs, so a working instance is never stopped."""
    idle_seconds = 60 * numbers.idle_minutes
    return [
        ScalingStep(
            name="WakeUp",
            why="Starts the first instance when a job waits and none runs.",
            metric="HasBacklogWithoutCapacity",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            statistic="Maximum",
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=1,
            # Do not start a second instance while the first one is starting: until then the alarm sounds each minute.
            cooldown_seconds=max(idle_seconds, START_SECONDS),
        ),
        ScalingStep(
            name=GROW,
            why="Starts another instance when more jobs than allowed wait for each.",
            metric="ApproximateBacklogSizePerInstance",
            comparison="GreaterThanThreshold",
            threshold=numbers.backlog_per_instance,
            statistic="Average",
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=1,
            cooldown_seconds=numbers.scale_out_cooldown_seconds,
        ),
        ScalingStep(
            name="Sleep",
            why="Returns to the minimum of instances when no job was queued or running for the idle minutes.",
            metric="ApproximateBacklogSize",
            comparison="LessThanThreshold",
            threshold=1,
            # With the average of several samples, short jobs with pauses between them would look like no job at all.
            statistic="Maximum",
            minutes=numbers.idle_minutes,
            adjustment_type="ExactCapacity",
            adjustment=numbers.min_instances,
            from_above=True,
            # The local cloud, which has no alarms, reads the idle time here.
            cooldown_seconds=idle_seconds,
        ),
    ]
