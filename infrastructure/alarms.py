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
from lambdas.functions.metrics import CODE, Metric

MINUTE = Duration.minutes(1)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the alarms and the dashboard observe."""

    functions: Mapping[str, lambda_.IFunction]
    """By the names that people know them by."""
    events_queue: sqs.IQueue
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
            events_queue=queue("Events"),
            dead_letters=[queue("EventsDeadLetters"), queue("WebhooksDeadLetters")],
        )


@dataclass(frozen=True, kw_only=True)
class AlarmRow:
    """Sounds when `metric` has been at or above `threshold` for `periods` of its periods; no data means all is well."""

    name: str
    why: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int


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


def alarm_rows(config: StageConfig, watched: Watched) -> list[AlarmRow]:
    """All alarms of one stage."""
    five = Duration.minutes(5)
    dead = {
        f"dead{number}": queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")
        for number, queue in enumerate(watched.dead_letters)
    }
    errors = {
        f"errors{number}": function.metric_errors(period=five, statistic="Sum")
        for number, function in enumerate(watched.functions.values())
    }
    return [
        AlarmRow(
            name="DeadLetters",
            why="A message could not be processed after all its attempts.",
            metric=cloudwatch.MathExpression(expression=" + ".join(dead), using_metrics=dead, period=MINUTE),
            threshold=1,
            periods=1,
        ),
        AlarmRow(
            name="EventsLate",
            why="Finished jobs are not recorded: the endpoint's message queue is not being read.",
            metric=watched.events_queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum"),
            threshold=300,
            periods=3,
        ),
        AlarmRow(
            name="OldestJob",
            why=f"A job has been waiting or running for {config.oldest_job_minutes} minutes.",
            metric=own_metric(Metric.OLDEST_OPEN_JOB_SECONDS, config, statistic="Maximum"),
            threshold=60 * config.oldest_job_minutes,
            periods=2,
        ),
        AlarmRow(
            name="StuckScaling",
            why="Jobs have waited for half an hour and no instance runs.",
            metric=endpoint_metric("HasBacklogWithoutCapacity", config),
            threshold=1,
            periods=30,
        ),
        AlarmRow(
            name="AwakeWhileIdle",
            why="An instance runs, and is paid for, but there has been no job for an hour.",
            metric=cloudwatch.MathExpression(
                expression="IF(cpu >= 0 AND FILL(backlog, 0) < 1, 1, 0)",
                using_metrics={
                    "cpu": instance_metric("CPUUtilization", config),
                    "backlog": endpoint_metric("ApproximateBacklogSize", config),
                },
                period=MINUTE,
            ),
            threshold=1,
            periods=max(60, config.idle_minutes + 30) if config.min_instances == 0 else 1440,
        ),
        AlarmRow(
            name="JobsFail",
            why="More than a fifth of the finished jobs failed for a reason that is not in the request.",
            metric=cloudwatch.MathExpression(
                expression="IF(ended >= 5, 100 * failed / ended, 0)",
                using_metrics={
                    "ended": own_metric(Metric.JOBS_ENDED, config, statistic="Sum").with_(period=five),
                    "failed": own_metric(Metric.JOBS_FAILED_BY_US, config, statistic="Sum").with_(period=five),
                },
                period=five,
            ),
            threshold=20,
            periods=3,
        ),
        AlarmRow(
            name="ApiErrors",
            why="More than one in a hundred requests got a 5xx answer.",
            metric=cloudwatch.MathExpression(
                expression="IF(requests >= 20, 100 * errors / requests, 0)",
                using_metrics={
                    "requests": api_metric("Count", config, statistic="Sum", period=five),
                    "errors": api_metric("5XXError", config, statistic="Sum", period=five),
                },
                period=five,
            ),
            threshold=1,
            periods=2,
        ),
        AlarmRow(
            name="FunctionErrors",
            why="A function ended with an error.",
            metric=cloudwatch.MathExpression(expression=" + ".join(errors), using_metrics=errors, period=five),
            threshold=1,
            periods=2,
        ),
    ]
