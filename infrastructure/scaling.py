"""When instances come and go: a row for each alarm on the backlog and what it does."""

from dataclasses import dataclass

from aws_cdk.aws_applicationautoscaling import CfnScalingPolicy

from infrastructure.config import StageConfig


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
    adjustment: CfnScalingPolicy.StepAdjustmentProperty
    cooldown_seconds: int


def scaling_steps(config: StageConfig) -> list[ScalingStep]:
    """All steps of an endpoint. The backlog counts what is queued and what runs, so nobody is put to sleep at work."""
    idle_seconds = 60 * config.idle_minutes
    return [
        ScalingStep(
            name="WakeUp",
            why="A job waits and no instance runs: starts the first one.",
            metric="HasBacklogWithoutCapacity",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=CfnScalingPolicy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1),
            # No second instance while the first one still starts: until then the alarm sounds each minute.
            cooldown_seconds=idle_seconds,
        ),
        ScalingStep(
            name="Grow",
            why="More jobs wait for each instance than allowed: starts another one.",
            metric="ApproximateBacklogSizePerInstance",
            comparison="GreaterThanThreshold",
            threshold=config.backlog_per_instance,
            minutes=1,
            adjustment_type="ChangeInCapacity",
            adjustment=CfnScalingPolicy.StepAdjustmentProperty(metric_interval_lower_bound=0, scaling_adjustment=1),
            cooldown_seconds=config.scale_out_cooldown_seconds,
        ),
        ScalingStep(
            name="Sleep",
            why="Nothing has been queued or running for the idle minutes: back to the least number of instances.",
            metric="ApproximateBacklogSize",
            comparison="LessThanThreshold",
            threshold=1,
            minutes=config.idle_minutes,
            adjustment_type="ExactCapacity",
            adjustment=CfnScalingPolicy.StepAdjustmentProperty(
                metric_interval_upper_bound=0, scaling_adjustment=config.min_instances
            ),
            # The local cloud, which has no alarms, reads the idle time here.
            cooldown_seconds=idle_seconds,
        ),
    ]
