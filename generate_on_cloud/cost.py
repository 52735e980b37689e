"""The monthly cost of a deployment: a model of a few lines over `prices.json` and the contract's `HOUR_USD`."""

from dataclasses import dataclass, field, replace

from generate_on_cloud.contract.endpoints import DEFAULT_IDLE_MINUTES
from generate_on_cloud.standing import HOURS, Prices, Standing, idle_month, storage_lines

API_GB = 0.5
SECONDS_OF_A_REQUEST = 0.05
WAIT_SECONDS = 25
"""How long the API holds a request with `?wait=`; a client then asks again."""
REQUESTS_OF_A_JOB = 6
"""Sent once, read every 20 seconds, listed now and then."""
READS_OF_A_REQUEST = 2
INDEXES_OF_A_JOB = 9
"""Written with the job's row when it is created; four are written again, in two places, when it starts and ends."""
PICTURE_MB = 0.5
METRICS_OF_JOBS = 20
"""Custom metrics that functions and container write while there are jobs; billed by the hour, one for each wake-up."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a team uses in a month."""

    instance_type: str
    images: int
    seconds_per_image: float
    """On this instance type with the models loaded; measure it with `timings.total` of a job."""
    wake_ups: int
    """How often the endpoint starts from zero."""
    start_minutes: float = 10.0
    """Until a new instance takes jobs: machine, image, models. Billing starts when the machine does."""
    idle_minutes: float = DEFAULT_IDLE_MINUTES
    """`idle_minutes` of the stage, paid each time the endpoint becomes idle."""
    models_gb: float = 20.0
    kept_images: int = 0
    """Pictures in the bucket at any time; 0: those of one month."""
    firewall: bool = False
    watched: float = 1.0
    """Share of the time until a result in which a client waits with `?wait=`, as `goc jobs wait` and the panels do."""


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
    # A client waits for its result, and one of them through each cold start; the API holds its request meanwhile.
    waiting = usage.watched * (run_seconds + usage.wake_ups * 60 * usage.start_minutes)
    waits = waiting / WAIT_SECONDS
    lines = {
        "GPU, drawing": hour * run_seconds / 3600,
        "GPU, starting": hour * usage.wake_ups * usage.start_minutes / 60,
        "GPU, idle before it sleeps": hour * usage.wake_ups * usage.idle_minutes / 60,
        **storage_lines(prices, models_gb=usage.models_gb),
        "pictures in S3": prices.s3_gb_month * kept * PICTURE_MB / 1024
        + (prices.s3_put_1000 * 3 + prices.s3_get_1000 * 3) * usage.images / 1000,
        "pictures to their users": prices.transfer_out_gb * usage.images * PICTURE_MB / 1024,
        "API and functions": prices.api_million * requests / 1e6
        + prices.lambda_million * (requests + usage.images) / 1e6
        + prices.lambda_gb_second * API_GB * SECONDS_OF_A_REQUEST * requests,
        "waiting for results": (prices.api_million + prices.lambda_million) * waits / 1e6
        + prices.lambda_gb_second * API_GB * waiting,
        "tables": prices.dynamodb_write_million * writes / 1e6
        + prices.dynamodb_read_million * READS_OF_A_REQUEST * requests / 1e6,
        "metrics of jobs": prices.custom_metric_month * METRICS_OF_JOBS * min(1.0, usage.wake_ups / HOURS),
        "standing by": idle_month(prices, replace(Standing(), firewalls=int(usage.firewall))),
    }
    return Estimate(lines)


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
        thousand = drawn.total - idle_month(prices) - sum(storage_lines(prices).values())
        wake = hour * (Usage.start_minutes + Usage.idle_minutes) / 60
        rows.append(f"| {instance_type} | {hour:.2f} | {thousand:.2f} | {wake:.2f} |")
    return "\n".join(rows)
