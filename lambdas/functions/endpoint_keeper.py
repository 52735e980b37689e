"""Lambda, at each change of an endpoint's state and each minute: brings AWS in line with the endpoints table.

Each run repairs what was missed or interrupted: scaling that is not registered yet (AWS accepts it only once the
endpoint is in service), a status, an unfinished deletion.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.endpoints import EndpointStatus
from lambdas.access.table import AccessTable
from lambdas.aws.clients import aws_clients
from lambdas.aws.errors import error_code, error_message
from lambdas.aws.rows import utc_now
from lambdas.endpoints.choice import EndpointLoad
from lambdas.endpoints.record import EndpointRecord, EndpointStore
from lambdas.endpoints.sagemaker import TAKES_JOBS, SageMakerEndpoints, status_of
from lambdas.endpoints.scaling import DIMENSION, NAMESPACE, PERIOD_SECONDS, scaling_steps
from lambdas.endpoints.second_sleep import SecondSleep
from lambdas.functions.health import Problem, record_problems
from lambdas.settings import EndpointKeeperSettings

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_LOG = logging.getLogger(__name__)

SLEEPLESS = timedelta(hours=1)
"""An endpoint that still has an instance so long after its last job is a problem."""
UNMADE = timedelta(minutes=5)
"""A row without an endpoint after this long: its request died between creating the two."""
_GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException"})
_GONE_WORDS = ("Could not find", "No scalable target found")


@dataclass(frozen=True)
class ScalingLimits:
    """Of the template's endpoint, which has no row."""

    endpoint: str
    min_instances: int
    idle_minutes: int


@dataclass(frozen=True)
class EndpointKeeper:
    store: EndpointStore
    sagemaker: "SageMakerClient"
    endpoints: SageMakerEndpoints
    autoscaling: Any
    """Client of `application-autoscaling`."""
    cloudwatch: Any
    logs: Any
    sleep: SecondSleep
    default: ScalingLimits
    now: Callable[[], datetime] = utc_now

    def keep_all(self) -> list[str]:
        """Look at every endpoint; one failure does not delay the others.

        Returns those of the API that do not sleep; the template's has an alarm for that.
        """
        sleepless = []
        for record in self.store.list():
            try:
                if self.keep(record.endpoint):
                    sleepless.append(record.endpoint)
            except (ClientError, BotoCoreError):
                _LOG.exception("endpoint %s could not be brought in line with its row", record.endpoint)
        try:
            self._watch_default()
        except (ClientError, BotoCoreError):
            _LOG.exception("endpoint %s could not be looked at", self.default.endpoint)
        return sleepless

    def _watch_default(self) -> None:
        """The template scales its endpoint by itself; only its second way to sleep is here."""
        live = self.endpoints.describe(self.default.endpoint)
        if live is not None:
            limits = self.default
            self.sleep.visit(live, min_instances=limits.min_instances, idle_minutes=limits.idle_minutes, now=self.now())

    def keep(self, endpoint: str) -> bool:
        """Take the next step towards what the row says; safe to repeat at any time.

        Returns whether the endpoint has had no job for SLEEPLESS and does not sleep.

        Raises:
            ClientError, BotoCoreError: AWS failed; the next run tries again.
        """
        record = self.store.get(endpoint)
        if record is None:
            return False
        if record.status is EndpointStatus.DELETING:
            self._remove(record)
            return False
        live = self.endpoints.describe(endpoint)
        if live is None:
            if self.now() - record.created_at >= UNMADE:
                reason = "SageMaker has no such endpoint: it was never created, or was removed without this API."
                self.store.observe(record, status=EndpointStatus.FAILED, reason=reason, instance_count=0)
            return False
        if live.status in TAKES_JOBS and record.scaled != record.version:
            self._scale(record)
        self.store.observe(
            record,
            status=status_of(live.status),
            reason=live.failure_reason,
            instance_count=live.instance_count,
        )
        limits = {"min_instances": record.min_instances, "idle_minutes": record.idle_minutes}
        idle = self.sleep.visit(live, **limits, now=self.now())
        return idle is not None and idle >= SLEEPLESS

    def put_to_sleep(self, endpoint: str) -> None:
        """Set an endpoint without an open job back to its minimum of instances now."""
        limits: ScalingLimits | EndpointRecord | None = self.default
        if endpoint != self.default.endpoint:
            limits = self.store.get(endpoint)
        live = self.endpoints.describe(endpoint)
        if limits is not None and live is not None:
            self.sleep.at_once(live, min_instances=limits.min_instances)

    def _scale(self, record: EndpointRecord) -> None:
        """Register the limits and, for each step, a policy and the alarm that runs it; replaces all earlier ones."""
        target = _target(record)
        self.autoscaling.register_scalable_target(
            **target, MinCapacity=record.min_instances, MaxCapacity=record.max_instances
        )
        for step in scaling_steps(record):
            bound = "MetricIntervalUpperBound" if step.from_above else "MetricIntervalLowerBound"
            policy = self.autoscaling.put_scaling_policy(
                **target,
                PolicyName=step.name,
                PolicyType="StepScaling",
                StepScalingPolicyConfiguration={
                    "AdjustmentType": step.adjustment_type,
                    "MetricAggregationType": step.statistic,
                    "Cooldown": step.cooldown_seconds,
                    "StepAdjustments": [{bound: 0, "ScalingAdjustment": step.adjustment}],
                },
            )
            self.cloudwatch.put_metric_alarm(
                AlarmName=alarm_name(record.endpoint, step.name),
                AlarmDescription=step.why,
                Namespace=NAMESPACE,
                MetricName=step.metric,
                Dimensions=[{"Name": "EndpointName", "Value": record.endpoint}],
                Statistic=step.statistic,
                Period=PERIOD_SECONDS,
                EvaluationPeriods=step.minutes,
                DatapointsToAlarm=step.minutes,
                Threshold=step.threshold,
                ComparisonOperator=step.comparison,
                TreatMissingData="missing",
                AlarmActions=[policy["PolicyARN"]],
            )
        self.store.mark_scaled(record)

    def _remove(self, record: EndpointRecord) -> None:
        """Delete the endpoint, then everything that belongs to it, the row last; all else waits for the endpoint.

        SageMaker refuses to delete one that is being created or changed: the next run tries again.
        """
        name = record.endpoint
        live = self.endpoints.describe(name)
        if live is not None and live.status != "Deleting":
            _quietly(partial(self.autoscaling.deregister_scalable_target, **_target(record)))
            try:
                self.sagemaker.delete_endpoint(EndpointName=name)
            except ClientError as error:
                if not _is_missing(error):
                    _LOG.warning("endpoint %s is not deleted yet: %s", name, error_message(error))
                    return
            live = self.endpoints.describe(name)
        if live is not None:
            return
        _quietly(partial(self.autoscaling.deregister_scalable_target, **_target(record)))
        self.cloudwatch.delete_alarms(AlarmNames=[alarm_name(name, step.name) for step in scaling_steps(record)])
        _quietly(partial(self.sagemaker.delete_endpoint_config, EndpointConfigName=name))
        _quietly(partial(self.sagemaker.delete_model, ModelName=name))
        _quietly(partial(self.logs.delete_log_group, logGroupName=f"/aws/sagemaker/Endpoints/{name}"))
        self.store.forget(name)


def alarm_name(endpoint: str, step: str) -> str:
    return f"{endpoint}-{step}"


def _target(record: EndpointRecord) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{record.endpoint}/variant/{record.variant}",
        "ScalableDimension": DIMENSION,
    }


def _is_missing(error: ClientError) -> bool:
    return error_code(error) in _GONE or any(words in error_message(error) for words in _GONE_WORDS)


def _quietly(remove: Callable[[], object]) -> None:
    """Remove something that may already be removed."""
    try:
        remove()
    except ClientError as error:
        if not _is_missing(error):
            raise


@cache
def _settings() -> EndpointKeeperSettings:
    return EndpointKeeperSettings.from_environment()


@cache
def _keeper() -> EndpointKeeper:
    settings, clients = _settings(), aws_clients(stores_objects=False)
    return EndpointKeeper(
        store=EndpointStore(clients.dynamodb, settings.ENDPOINTS_TABLE),
        sagemaker=clients.sagemaker,
        endpoints=SageMakerEndpoints(clients.sagemaker, clients.sagemaker_runtime),
        autoscaling=boto3.client("application-autoscaling"),
        cloudwatch=boto3.client("cloudwatch"),
        logs=boto3.client("logs"),
        sleep=SecondSleep(clients.sagemaker, EndpointLoad(AccessTable(clients.dynamodb, settings.ACCESS_TABLE))),
        default=ScalingLimits(settings.ENDPOINT_NAME, settings.MIN_INSTANCES, settings.IDLE_MINUTES),
    )


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001
    """Entry point for SageMaker's event about one endpoint, the API's `{"endpoint": NAME}` (with `"sleep": true` to put
    it to sleep), or a schedule.
    """
    detail: Any = event.get("detail") or {}
    named = event.get("endpoint") or detail.get("EndpointName")
    if named and event.get("sleep"):
        _keeper().put_to_sleep(str(named))
        return
    if named:
        _keeper().keep(str(named))
        return
    sleepless = _keeper().keep_all()
    record_problems({Problem.AWAKE_WHILE_IDLE: len(sleepless)}, stack=_settings().STACK_NAME)
