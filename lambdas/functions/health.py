"""What is wrong with a stage right now, as one number that a single alarm watches.

CloudWatch bills an alarm for each metric it looks at, and a custom metric for each hour it is written in: so everything
that can be wrong feeds one metric, which is only written while something is wrong. Its name is the stack's, because
metric filters of logs, which feed it as well, know no constant dimension.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.metrics import NAMESPACE
from lambdas.endpoints.sagemaker import SageMakerEndpoints

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)

HEALTH_NAMESPACE: Final = f"{NAMESPACE}/Health"
PROBLEM: Final = "Problem"
"""Dimension of the same metric once more, for people: which problem it is."""
STUCK_AFTER: Final = timedelta(minutes=30)


class Problem(StrEnum):
    """Headings of docs/runbook.md."""

    DEAD_LETTERS = "DeadLetters"
    OLDEST_JOB = "OldestJob"
    STUCK_SCALING = "StuckScaling"
    AWAKE_WHILE_IDLE = "AwakeWhileIdle"
    """Of endpoints created through the API; the template's has an alarm of the same name."""
    JOBS_FAIL = "JobsFail"


def record_problems(problems: Mapping[Problem, int], *, stack: str) -> None:
    """A log line for each problem, which CloudWatch turns into the metric; none when all is well."""
    for problem, count in problems.items():
        if count:
            _LOG.warning("%s: %d, see docs/runbook.md#%s", problem, count, problem.lower())
            directive = {
                "Namespace": HEALTH_NAMESPACE,
                "Dimensions": [[], [PROBLEM]],
                "Metrics": [{"Name": stack, "Unit": "Count"}],
            }
            told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
            # CloudWatch reads the metric from this line.
            print(json.dumps({"_aws": told, PROBLEM: problem.value, stack: count}))


@dataclass(frozen=True)
class Health:
    """The checks that need more than the open jobs."""

    sqs: "SQSClient"
    endpoints: SageMakerEndpoints
    dead_letter_queues: Sequence[str]
    """URLs."""
    oldest_allowed: timedelta

    def problems(self, *, oldest: datetime | None, stuck: Mapping[str, datetime], now: datetime) -> dict[Problem, int]:
        """What is wrong, with how much of it there is.

        Args:
            oldest: when the longest open job was queued.
            stuck: by endpoint, when the job that has waited longest for a worker was queued.
            now: the time of the sweep.
        """
        late = oldest is not None and now - oldest >= self.oldest_allowed
        found = {
            Problem.DEAD_LETTERS: sum(self._waiting(url) for url in self.dead_letter_queues),
            Problem.OLDEST_JOB: int(late),
            Problem.STUCK_SCALING: sum(
                now - since >= STUCK_AFTER and self._instances(endpoint) == 0 for endpoint, since in stuck.items()
            ),
        }
        return {problem: count for problem, count in found.items() if count}

    def awake(self, endpoint: str) -> bool:
        """Whether an endpoint has instances; False when SageMaker does not say."""
        return self._instances(endpoint) > 0

    def _waiting(self, url: str) -> int:
        try:
            told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        except (ClientError, BotoCoreError):
            _LOG.exception("dead letters could not be counted")
            return 0
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def _instances(self, endpoint: str) -> int:
        try:
            live = self.endpoints.describe(endpoint)
        except (ClientError, BotoCoreError):
            _LOG.exception("endpoint %s could not be looked at", endpoint)
            return -1
        return 0 if live is None else live.instance_count
