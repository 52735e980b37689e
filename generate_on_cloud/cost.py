"""The monthly cost of a deployment: a model of a few lines over `prices.json` and the contract's `HOUR_USD`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from generate_on_cloud.contract.endpoints import DEFAULT_IDLE_MINUTES
from generate_on_cloud.contract.instances import HOUR_USD

HOURS = 730
"""In a month."""
SWEEPS = 60 * HOURS
SECONDS_OF_A_SWEEP = 0.2
SWEEPER_GB = 0.5
API_GB = 1.0
SECONDS_OF_A_REQUEST = 0.05
REQUESTS_OF_A_JOB = 6
"""Sent once, read every 20 seconds, listed now and then."""
READS_OF_A_REQUEST = 2
INDEXES_OF_A_JOB = 9
"""Written with the job's row when it is created; four are written again, in two places, when it starts and ends."""
ALARMS = 11
"""Three for scaling, eight in the operations stack."""
PICTURE_MB = 0.5


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
    secret_month: float
    alarm_month: float
    firewall_month: float


@cache
def read_prices() -> Prices:
    """The price table that comes with the package."""
    return Prices.model_validate(json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a team uses in a month."""

    instance_type: str
    images: int
    seconds_per_image: float
    """On this instance type with the models loaded; measure it with `timings.total` of a job."""
    wake_ups: int
    """How often the endpoint starts from zero."""
    start_minutes: float = 6.0
    """Until a new instance takes jobs: machine, image, models. Billing starts when the machine does."""
    idle_minutes: float = DEFAULT_IDLE_MINUTES
    """`idle_minutes` of the stage, paid each time the endpoint becomes idle."""
    models_gb: float = 20.0
    kept_images: int = 0
    """Pictures in the bucket at any time; 0: those of one month."""
    firewall: bool = False


@dataclass(frozen=True)
class Estimate:
    """USD a month, by item."""

    lines: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.lines.values())


def estimate(usage: Usage, prices: Prices) -> Estimate:
    """The cost of `usage`.

    Raises:
        ValueError: the price table does not have the instance type.
    """
    if usage.instance_type not in prices.instance_hour:
        known = ", ".join(prices.instance_hour)
        raise ValueError(f"received instance type {usage.instance_type!r}; allowed: {known}")
    hour = prices.instance_hour[usage.instance_type]
    run_seconds = usage.images * usage.seconds_per_image
    requests = usage.images * REQUESTS_OF_A_JOB
    # One write a second while it runs; its row and all its indexes at each of three changes of status.
    writes = run_seconds + usage.images * 3 * (1 + INDEXES_OF_A_JOB)
    kept = usage.kept_images or usage.images
    lines = {
        "GPU, drawing": hour * run_seconds / 3600,
        "GPU, starting": hour * usage.wake_ups * usage.start_minutes / 60,
        "GPU, idle before it sleeps": hour * usage.wake_ups * usage.idle_minutes / 60,
        "models in S3": prices.s3_gb_month * usage.models_gb,
        "pictures in S3": prices.s3_gb_month * kept * PICTURE_MB / 1024
        + (prices.s3_put_1000 * 3 + prices.s3_get_1000 * 3) * usage.images / 1000,
        "pictures to their users": prices.transfer_out_gb * usage.images * PICTURE_MB / 1024,
        "API and functions": prices.api_million * requests / 1e6
        + prices.lambda_million * (requests + usage.images) / 1e6
        + prices.lambda_gb_second * API_GB * SECONDS_OF_A_REQUEST * requests,
        "tables": prices.dynamodb_write_million * writes / 1e6
        + prices.dynamodb_read_million * READS_OF_A_REQUEST * requests / 1e6,
        "standing by (sweeper, alarms, secret)": prices.alarm_month * ALARMS
        + prices.secret_month
        + prices.lambda_million * SWEEPS / 1e6
        + prices.lambda_gb_second * SWEEPER_GB * SECONDS_OF_A_SWEEP * SWEEPS
        + prices.dynamodb_read_million * SWEEPS / 1e6,
    }
    if usage.firewall:
        lines["firewall"] = prices.firewall_month
    return Estimate(lines)


def idle_month(prices: Prices, *, models_gb: float = 0.0) -> float:
    """USD for a month in which nobody draws."""
    instance_type = next(iter(prices.instance_hour))
    usage = Usage(instance_type=instance_type, images=0, seconds_per_image=0.0, wake_ups=0, models_gb=models_gb)
    return estimate(usage, prices).total


def cost_table(prices: Prices, *, seconds_per_image: float) -> str:
    """A Markdown table of USD by instance type for 1,000 pictures and for one wake-up."""
    rows = ["| instance type | 1 hour | 1,000 pictures | 1 wake-up |", "|---|---|---|---|"]
    for instance_type, hour in prices.instance_hour.items():
        drawn = estimate(
            Usage(
                instance_type=instance_type,
                images=1000,
                seconds_per_image=seconds_per_image,
                wake_ups=0,
                models_gb=0,
            ),
            prices,
        )
        thousand = drawn.total - idle_month(prices)
        wake = hour * (Usage.start_minutes + Usage.idle_minutes) / 60
        rows.append(f"| {instance_type} | {hour:.2f} | {thousand:.2f} | {wake:.2f} |")
    return "\n".join(rows)
