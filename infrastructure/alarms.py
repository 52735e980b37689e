"""The alarms, one row each; an alarm's name is a heading of docs/runbook.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from generate_on_cloud.contract.metrics import NAMESPACE, STACK, ContainerMetric
from infrastructure.config import StageConfig
from infrastructure.handover import CoreValues
from lambdas.functions.health import HEALTH_NAMESPACE, PROBLEM
from lambdas.functions.metrics import CODE, Metric

MINUTE = Duration.minutes(1)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms and the dashboard observe."""

    functions: Mapping[str, lambda_.IFunction]
    """By the names that people know them by."""
    dead_letters: Sequence[sqs.IQueue]

    @classmethod
    def of(cls, scope: Construct, core: CoreValues) -> Self:
        def queue(name: str) -> sqs.IQueue:
            arn = Stack.of(scope).format_arn(service="sqs", resource=core.queues[name])
            return sqs.Queue.from_queue_arn(scope, name, arn)

        return cls(
            functions={
                name: lambda_.Function.from_function_name(scope, f"{name}Function", function)
                for name, function in core.functions.items()
            },
            dead_letters=[queue("EventsDeadLetters"), queue("WebhooksDeadLetters")],
        )


@dataclass(frozen=True, kw_only=True)
class AlarmRow:
    """Sounds when `metric` has been at or above `threshold` for `periods` of its periods; no data means all is well.

    With `below` it sounds at or below the threshold, and no data means that nothing happens at all.
    """

    name: str
    why: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int
    below: bool = False


def own_metric(metric: Metric | ContainerMetric, config: StageConfig, *, statistic: str) -> cloudwatch.Metric:
    """A metric written by our functions or the container."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric.value,
        dimensions_map={STACK: config.stack_name},
        statistic=statistic,
        period=MINUTE,
    )


def failures_by_code(config: StageConfig) -> cloudwatch.MathExpression:
    """One line per code that jobs have failed with."""
    found = f'{{{NAMESPACE},{STACK},{CODE}}} MetricName="{Metric.JOBS_FAILED}" {STACK}="{config.stack_name}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{found}', 'Sum', {MINUTE.to_seconds():.0f})", using_metrics={}, period=MINUTE
    )


def endpoint_metric(name: str, config: StageConfig, *, statistic: str = "Maximum") -> cloudwatch.Metric:
    """A metric that SageMaker writes about the default endpoint's queue."""
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=name,
        dimensions_map={"EndpointName": config.default_endpoint},
        statistic=statistic,
        period=MINUTE,
    )


def instance_metric(name: str, config: StageConfig) -> cloudwatch.Metric:
    """A metric that SageMaker writes about the default endpoint's instances; absent while it sleeps."""
    return cloudwatch.Metric(
        namespace="/aws/sagemaker/Endpoints",
        metric_name=name,
        dimensions_map={"EndpointName": config.default_endpoint, "VariantName": config.variant},
        statistic="Average",
        period=MINUTE,
    )


def api_metric(name: str, config: StageConfig, *, statistic: str, period: Duration = MINUTE) -> cloudwatch.Metric:
    """A metric that API Gateway writes about the stage's API."""
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=name,
        dimensions_map={"ApiName": config.stack_name},
        statistic=statistic,
        period=period,
    )


def health_metric(config: StageConfig) -> cloudwatch.Metric:
    """The one number of all that can be wrong (`lambdas/functions/health.py`); absent while all is well."""
    return cloudwatch.Metric(
        namespace=HEALTH_NAMESPACE, metric_name=config.stack_name, statistic="Sum", period=Duration.minutes(5)
    )


def problems_by_name(config: StageConfig) -> cloudwatch.MathExpression:
    """One line per problem."""
    found = f'{{{HEALTH_NAMESPACE},{PROBLEM}}} MetricName="{config.stack_name}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{found}', 'Sum', {MINUTE.to_seconds():.0f})", using_metrics={}, period=MINUTE
    )


def alarm_rows(config: StageConfig, watched: Watched) -> list[AlarmRow]:
    """All alarms of one stage. CloudWatch bills each for every metric it looks at: one."""
    return [
        AlarmRow(
            name="Health",
            why="Something has been wrong for ten minutes; the dashboard's first graph and the sweeper's log say what.",
            metric=health_metric(config),
            threshold=3,
            periods=2,
        ),
        AlarmRow(
            name="SweeperSilent",
            why="The function that looks after jobs each minute has not run for a quarter of an hour.",
            metric=watched.functions["Sweeper"].metric_invocations(period=Duration.minutes(5), statistic="Sum"),
            threshold=0,
            periods=3,
            below=True,
        ),
        AlarmRow(
            name="AwakeWhileIdle",
            why="An instance runs, and is paid for, but there has been no job for an hour.",
            metric=own_metric(Metric.AWAKE_WITHOUT_JOBS, config, statistic="Sum"),
            threshold=1,
            periods=max(60, config.idle_minutes + 30) if config.min_instances == 0 else 1440,
        ),
    ]
