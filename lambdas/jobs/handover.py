"""Sends jobs to their endpoints: the first time, again if it is unknown whether that succeeded, and again if their
worker was lost."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.endpoints.sagemaker import SageMakerEndpoints
from lambdas.jobs.objects import JobObjects, request_key
from lambdas.jobs.record import JobRecord
from lambdas.jobs.transitions import JobTransitions
from lambdas.problems import ProblemError

_LOG = logging.getLogger(__name__)

PAUSES = (timedelta(0), timedelta(minutes=1), timedelta(minutes=4))
"""Before a job is handed over again after its first lost worker, its second, and so on."""


@dataclass(frozen=True)
class Delivery:
    transitions: JobTransitions
    objects: JobObjects
    endpoints: SageMakerEndpoints

    def hand_over(self, job: JobRecord) -> JobRecord:
        """Invoke the endpoint with the job's request document, and record where the answer will be.

        Raises:
            ProblemError, ClientError: the endpoint refused it.
        """
        sent_to = self.endpoints.invoke(
            job.endpoint,
            job_id=job.job_id,
            request_uri=self.objects.uri(request_key(job.job_id)),
            ttl_s=job.ttl_s,
            run_timeout_s=job.run_seconds_allowed,
        )
        _LOG.info("job %s sent to endpoint %s", job.job_id, job.endpoint, extra=job.log_ids)
        output_key = self.objects.key_of(sent_to.output)
        failure_key = self.objects.key_of(sent_to.failure) if sent_to.failure else None
        try:
            kept = self.transitions.keep_locations(job, output_key=output_key, failure_key=failure_key)
        except (ClientError, BotoCoreError):
            # The endpoint has the job: removing it now would lose it. Its notification will name the locations again.
            _LOG.exception("locations of job %s not recorded", job.job_id, extra=job.log_ids)
            kept = None
        return kept or job

    def send_again(self, job: JobRecord, *, now: datetime) -> bool:
        """Send a queued job whose sender died before recording the locations; False if it changed meanwhile.

        The endpoint may then have it twice, but only one of the two can claim it.
        """
        return self._try(self.transitions.mark_sent_again(job, now=now))

    def send_after_refusal(self, job: JobRecord, *, now: datetime) -> bool:
        """Send a queued job again that a container of an older contract refused; False if it changed meanwhile."""
        return self._try(
            self.transitions.mark_refused(job, now=now), why="was refused by an older container and is being sent again"
        )

    def send_after_loss(self, job: JobRecord, *, now: datetime) -> bool:
        """Hand over a queued job whose queue went with its endpoint; False when it changed meanwhile."""
        return self._try(self.transitions.mark_queue_lost(job, now=now), why="waits in no queue and is sent again")

    def requeue(self, job: JobRecord, *, now: datetime) -> bool:
        """Queue a job again whose worker was lost; False if it changed meanwhile.

        The first time it is handed over at once; later the sweeper does it when the time has come, because what keeps
        killing workers may pass.
        """
        pause = PAUSES[min(job.lost_workers, len(PAUSES) - 1)]
        queued = self.transitions.requeue(job, now=now, retry_at=now + pause if pause else None)
        if queued is None or not pause:
            return self._try(queued, why="lost its worker and is queued again")
        _LOG.warning("job %s lost its worker and is sent again at %s", job.job_id, queued.retry_at, extra=job.log_ids)
        return True

    def _try(self, job: JobRecord | None, *, why: str | None = None) -> bool:
        if job is None:
            return False
        if why is not None:
            _LOG.warning("job %s %s", job.job_id, why, extra=job.log_ids)
        try:
            self.hand_over(job)
        except (ProblemError, ClientError, BotoCoreError):
            # It stays queued without locations: the sweeper sends it again.
            _LOG.exception("job %s could not be sent", job.job_id, extra=job.log_ids)
        return True
