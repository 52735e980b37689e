"""What a stage costs while nobody draws: list prices of what its templates hold, without any free allowance."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from generate_on_cloud.contract.instances import HOUR_USD

HOURS: Final = 730
"""In a month."""
SECONDS_OF_A_RUN: Final = 0.2
"""Of a function that a schedule starts and that finds nothing to do."""
LOG_KB_OF_A_RUN: Final = 1.0
"""Lambda's own lines about a run, in JSON."""
POLLERS: Final = 5
POLL_SECONDS: Final = 20
"""Lambda asks an empty queue with five connections, each waiting for twenty seconds."""
IMAGE_GB: Final = 5.0
"""The container's image as ECR stores it, compressed; each version that is not removed costs as much."""


class Prices(BaseModel):
    """Prices in USD; the file names their date and region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str
    region: str
    note: str
    instance_hour: Mapping[str, float] = HOUR_USD
    s3_gb_month: float
    s3_put_1000: float
    s3_get_1000: float
    transfer_out_gb: float
    api_million: float
    lambda_million: float
    lambda_gb_second: float
    dynamodb_write_million: float
    dynamodb_read_million: float
    alarm_month: float
    """For each metric that an alarm looks at."""
    custom_metric_month: float
    sqs_million: float
    logs_gb: float
    ecr_gb_month: float
    secret_month: float
    key_month: float
    firewall_month: float


@cache
def read_prices() -> Prices:
    """The price table that comes with the package."""
    return Prices.model_validate(json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Scheduled:
    """A function that a schedule starts."""

    runs: float
    """In a month."""
    memory_gb: float


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What costs something by being there; a test compares the default with the synthesised templates."""

    alarm_metrics: int = 5
    custom_metrics: int = 0
    """Written in every hour, jobs or not: ours are written while there is something to say."""
    secrets: int = 0
    keys: int = 0
    firewalls: int = 0
    queue_mappings: int = 1
    """Queues that Lambda reads for a function."""
    dead_letter_queues: int = 2
    """Counted by the sweeper."""
    scheduled: tuple[Scheduled, ...] = field(
        default=(
            Scheduled(runs=60 * HOURS, memory_gb=0.25),  # the sweeper
            Scheduled(runs=60 * HOURS, memory_gb=0.25),  # the endpoint keeper
            Scheduled(runs=4 * HOURS, memory_gb=1769 / 1024),  # the inspection
        )
    )


def standing_lines(standing: Standing, prices: Prices) -> dict[str, float]:
    """USD of a month, by what it is for; storage is not among them."""
    polls = standing.queue_mappings * POLLERS * HOURS * 3600 / POLL_SECONDS
    counts = standing.dead_letter_queues * 60 * HOURS
    runs = sum(each.runs for each in standing.scheduled)
    seconds = sum(each.runs * each.memory_gb * SECONDS_OF_A_RUN for each in standing.scheduled)
    return {
        "alarms": prices.alarm_month * standing.alarm_metrics,
        "custom metrics": prices.custom_metric_month * standing.custom_metrics,
        "secrets": prices.secret_month * standing.secrets,
        "own key": prices.key_month * standing.keys,
        "firewall": prices.firewall_month * standing.firewalls,
        "queues that are read": prices.sqs_million * (polls + counts) / 1e6,
        "functions on a schedule": prices.lambda_million * runs / 1e6 + prices.lambda_gb_second * seconds,
        "their logs": prices.logs_gb * runs * LOG_KB_OF_A_RUN / 1e6,
        "their reads of tables": prices.dynamodb_read_million * runs / 1e6,
    }


def storage_lines(prices: Prices, *, models_gb: float = 0.0, images: int = 1) -> dict[str, float]:
    """USD of a month for what is stored, whether anybody draws or not."""
    return {
        "images in ECR": prices.ecr_gb_month * IMAGE_GB * images,
        "models in S3": prices.s3_gb_month * models_gb,
    }


def idle_month(prices: Prices, standing: Standing | None = None) -> float:
    """USD of a month in which nobody draws, without storage."""
    return sum(standing_lines(standing or Standing(), prices).values())
