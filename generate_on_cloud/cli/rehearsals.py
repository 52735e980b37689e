"""What a dry run says to people: whether the job would be accepted, and what it would take."""

from generate_on_cloud.cli.times import seconds
from generate_on_cloud.contract.job_bodies import JobEstimate, JobView


def rehearsal_lines(label: str, job: JobView) -> list[str]:
    """One line, and a second one with the job's estimate if the service has made one."""
    names = ", ".join(model.name for model in job.models)
    first = f"{label}: would be accepted" + (f", with {names}" if names else "")
    return [first] if job.estimate is None else [first, "  " + "; ".join(_parts(job.estimate))]


def _parts(estimate: JobEstimate) -> list[str]:
    return [_time(estimate), _cost(estimate), _gpu(estimate)]


def _time(estimate: JobEstimate) -> str:
    if estimate.seconds is None:
        return "time not known until the endpoint has run jobs"
    low, high = estimate.seconds_low, estimate.seconds_high
    between = "" if low is None or high is None else f" ({seconds(low)} to {seconds(high)})"
    return f"about {seconds(estimate.seconds)} s{between}"


def _cost(estimate: JobEstimate) -> str:
    if estimate.cost_usd is None:
        return "cost not known"
    low, high = estimate.cost_usd_low, estimate.cost_usd_high
    between = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
    return f"{estimate.cost_usd:.4f} USD{between}"


def _gpu(estimate: JobEstimate) -> str:
    if estimate.wakes_gpu is None:
        return "SageMaker does not say whether a GPU runs"
    if not estimate.wakes_gpu:
        return "a GPU is running"
    wait = "" if estimate.start_seconds is None else f", about {seconds(estimate.start_seconds)} s more"
    return f"a GPU must start first{wait}"
