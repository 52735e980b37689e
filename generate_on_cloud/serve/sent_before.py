"""Jobs that another process of the same server sent: they are found through the API, by their metadata."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.job_bodies import JobView, PatchJob
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from generate_on_cloud.faces.sdapi import notes

_LOG = logging.getLogger(__name__)

_OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)
_OPEN_FOR = timedelta(hours=8)
"""No job is open for longer: six hours of waiting, an hour of running."""
_ENDED_FOR = timedelta(hours=1)
"""Age of the jobs among which one for the same request is looked for."""


class SentBefore:
    """The caller's jobs with one value of SERVER. All methods wait for the cloud."""

    def __init__(self, cloud: Callable[[], GenerateOnCloud], server: str) -> None:
        self._cloud = cloud
        self._server = server

    def open_jobs(self) -> list[JobView]:
        """Those that have not ended, oldest first.

        Raises:
            CloudError: the cloud refused or cannot be reached.
        """
        jobs, since, mine = self._cloud().jobs, datetime.now(UTC) - _OPEN_FOR, (notes.SERVER, self._server)
        listed = [one for status in _OPEN for one in jobs.list(status=status, metadata=mine, created_from=since)]
        # One that began between the two lists is in both.
        unique = {one.job_id: one.created_at for one in listed}
        found = [jobs.get(job_id) for job_id in sorted(unique, key=lambda job_id: (unique[job_id], job_id))]
        return [job for job in found if job.status not in TERMINAL]

    def answering(self, request: str) -> Iterator[JobView]:
        """Those with this value of REQUEST that run or have pictures, newest first.

        Raises:
            CloudError: as in `open_jobs`.
        """
        jobs, since = self._cloud().jobs, datetime.now(UTC) - _ENDED_FOR
        for one in jobs.list(metadata=(notes.REQUEST, request), created_from=since):
            if one.status not in (*_OPEN, JobStatus.SUCCEEDED):
                continue
            job = jobs.get(one.job_id)
            if job.retry_of is None:  # one that was sent again has the metadata of the first, but maybe another seed
                yield job

    def note(self, job_id: str, entries: Mapping[str, str]) -> None:
        """Add to the job's metadata; without them a request may at worst get a picture that another one got."""
        try:
            self._cloud().jobs.change(job_id, PatchJob(metadata=dict(entries)))
        except CloudError as error:
            _LOG.warning("job %s was not marked: %s", job_id, error)
