"""Jobs handed to their endpoints: the first time, again when nobody knows whether they were, and once more when their
worker was lost."""

import logging
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.endpoints.sagemaker import SageMakerEndpoints
from lambdas.jobs.objects import JobObjects, request_key
from lambdas.jobs.record import JobRecord
from lambdas.jobs.transitions import JobTransitions
from lambdas.problems import ProblemError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    transitions: JobTransitions
    objects: JobObjects
    endpoints: SageMakerEndpoints

    def hand_over(self, job: JobRecord) -> JobRecord:
        """Invoke the endpoint with the job's request document, and note where the answer will be.

        Raises:
            ProblemError, ClientError: the endpoint did not take it.
        """
        sent_to = self.endpoints.invoke(
            job.endpoint,
            job_id=job.job_id,
            request_uri=self.objects.uri(request_key(job.job_id)),
            ttl_s=job.ttl_s,
            run_timeout_s=job.run_timeout_s,
        )
        _LOG.info("job %s handed to endpoint %s", job.job_id, job.endpoint, extra=job.log_ids)
        output_key = self.objects.key_of(sent_to.output)
        failure_key = self.objects.key_of(sent_to.failure) if sent_to.failure else None
        try:
            kept = self.transitions.keep_locations(job, output_key=output_key, failure_key=failure_key)
        except (ClientError, BotoCoreError):
            # The endpoint has the job: taking it back now would lose it. Its notification names the locations again.
            _LOG.exception("locations of job %s not kept", job.job_id, extra=job.log_ids)
            kept = None
        return kept or job

    def send_again(self, job: JobRecord, *, now: datetime) -> bool:
        """Hand over a queued job whose sender died before it noted the locations; False when it changed meanwhile.

        The endpoint may then have it twice: only one of the two can claim it.
        """
        return self._try(self.transitions.mark_sent_again(job, now=now))

    def send_after_refusal(self, job: JobRecord, *, now: datetime) -> bool:
        """Hand over a queued job that a container of an older contract refused; False when it changed meanwhile."""
        return self._try(
            self.transitions.mark_refused(job, now=now), why="was refused by an older container and is sent again"
        )

    def requeue(self, job: JobRecord, *, now: datetime) -> bool:
        """Queue a job once more whose worker was lost; False when it changed meanwhile or was lost before."""
        return self._try(self.transitions.requeue(job, now=now), why="lost its worker and is queued once more")

    def _try(self, job: JobRecord | None, *, why: str | None = None) -> bool:
        if job is None:
            return False
        if why is not None:
            _LOG.warning("job %s %s", job.job_id, why, extra=job.log_ids)
        try:
            self.hand_over(job)
        except (ProblemError, ClientError, BotoCoreError):
            # It stays queued without locations: the sweeper sends it again.
            _LOG.exception("job %s could not be handed over", job.job_id, extra=job.log_ids)
        return True
