"""How many jobs that have not ended each endpoint has, from the jobs' own rows."""

from collections import Counter

from inference_container.contract.jobs import TERMINAL
from lambdas.job_pages import JobPages

MOST_COUNTED = 300
"""Open jobs of all endpoints together that are still counted: two calls for each hundred."""


def open_jobs_by_endpoint(pages: JobPages) -> Counter[str] | None:
    """Jobs by endpoint; None when more than MOST_COUNTED are open altogether."""
    counted: Counter[str] = Counter()
    seen = 0
    for batch in pages.open_jobs():
        seen += len(batch)
        if seen > MOST_COUNTED:
            return None
        counted.update(job.endpoint for job in batch if job.status not in TERMINAL)
    return counted
