"""From valid params to a queued job on the endpoint, with nothing left behind when that fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobRequest
from lambdas.access.caller import Caller
from lambdas.aws.items import is_id
from lambdas.endpoints.choice import EndpointChoice
from lambdas.endpoints.registry import EndpointRegistry
from lambdas.jobs.counts import Counts, counted
from lambdas.jobs.handover import Delivery
from lambdas.jobs.objects import (
    JobObjects,
    ObjectTooLargeError,
    input_key,
    job_prefix,
    output_prefix,
    params_key,
    request_key,
)
from lambdas.jobs.params import ROOT, check_params, megapixel_steps
from lambdas.jobs.pictures import pictures_elsewhere
from lambdas.jobs.record import JobRecord
from lambdas.jobs.resolution import Resolution, Resolver
from lambdas.jobs.transitions import JobTransitions
from lambdas.json_documents import read_document
from lambdas.problems import ProblemError, invalid

_LOG = logging.getLogger(__name__)

MAX_PARAMS_BYTES = 64 * 1024**2
"""Largest params document sent by presigned URL."""


@dataclass(frozen=True)
class Submission:
    """The stores a submission writes to."""

    counts: Counts
    transitions: JobTransitions
    registry: EndpointRegistry
    resolver: Resolver
    objects: JobObjects
    delivery: Delivery
    retention_days: int

    def open(self, job: JobRecord, choice: EndpointChoice, *, caller: Caller) -> JobRecord:
        """Put a job `created`: its params document will follow.

        Raises:
            ProblemError: the checkpoint (when it is named already) or the endpoint is not good, or `quota_exceeded`.
        """
        if job.checkpoint:
            self.resolver.check_checkpoint(job.checkpoint, caller=caller)
        job = replace(job, endpoint=choice.least_loaded())
        self.delivery.endpoints.require_in_service(job.endpoint)
        created = replace(job, status=JobStatus.CREATED, params_key=params_key(job.job_id))
        created = counted(created, Decimal(0), caller.quotas)
        self._admit(created, caller.quotas)
        return created

    def send(self, job: JobRecord, params: dict[str, Any], choice: EndpointChoice, *, caller: Caller) -> JobRecord:
        """Check everything, put the job `queued` and hand it to its endpoint.

        Raises:
            ProblemError: anything of the request or the endpoint is not good, or `quota_exceeded`; no row and no
                object is left.
        """
        checked = check_params(job.task, params)
        files = self.resolver.resolve(job.checkpoint, checked, caller=caller, side=choice.reading)
        queued = replace(
            _with_files(job, files),
            endpoint=choice.least_loaded(),
            status=JobStatus.QUEUED,
            request_key=request_key(job.job_id),
            queued_at=job.created_at,
        )
        queued = counted(queued, megapixel_steps(checked), caller.quotas)
        try:
            pictures = self._pictures(job, params)
            self.objects.put_request(_request(queued, params, files, pictures))
            self._admit(queued, caller.quotas)
            return self.delivery.hand_over(queued)
        except (ProblemError, ClientError, BotoCoreError):
            self._undo(lambda: self.counts.give_back(queued), job)
            copies, request = f"{job_prefix(job.job_id)}input/", request_key(job.job_id)
            self._undo(lambda: self.objects.remove_all(copies, also=[request]), job)
            raise

    def rehearse(
        self, job: JobRecord, params: dict[str, Any] | None, choice: EndpointChoice, *, caller: Caller
    ) -> JobRecord:
        """Check everything as `send` (without params: as `open`) does, and make nothing.

        Raises:
            ProblemError: as `send`.
        """
        if params is not None:
            checked = check_params(job.task, params)
            files = self.resolver.resolve(job.checkpoint, checked, caller=caller, side=choice.reading)
            job = _with_files(job, files)
            self._refuse_missing(job, params, lambda key, _: self.objects.exists(key))
        elif job.checkpoint:
            self.resolver.check_checkpoint(job.checkpoint, caller=caller)
        job = replace(job, endpoint=choice.least_loaded())
        self.delivery.endpoints.require_in_service(job.endpoint)
        return job

    def params_of(self, job: JobRecord) -> tuple[dict[str, Any], str | None]:
        """What a job was sent with: its params, and the id of its checkpoint.

        Raises:
            ProblemError: `job_state_conflict`, they are not stored (any more).
        """
        data = self.objects.read(job.request_key, max_bytes=2 * MAX_PARAMS_BYTES) if job.request_key else None
        if data is None:
            raise state_conflict(job, "sent again: its request is not stored (any more)")
        request = JobRequest.model_validate_json(data)
        return request.params, request.checkpoint.asset_id if request.checkpoint else None

    def start(self, job: JobRecord, *, caller: Caller, now: datetime) -> JobRecord:
        """Read the params document of a `created` job, check it and send the job.

        A fault leaves the job `created`: the document can be put again.

        Raises:
            ProblemError: as `send`; also `upload_incomplete`, `body_too_large`, `invalid_json`, `job_state_conflict`.
        """
        if job.status is not JobStatus.CREATED:
            raise state_conflict(job, "started")
        params = self._uploaded_params(job)
        checked = check_params(job.task, params)
        files = self.resolver.resolve(job.checkpoint, checked, caller=caller)
        named = _with_files(job, files)
        # Before the transition: who dies in between leaves a `created` job that has counted, and counts no more.
        charged = self.counts.charge_steps(job, megapixel_steps(checked), caller.quotas, now=now)
        queued = self.transitions.queue(
            job.job_id,
            checkpoint=named.checkpoint,
            models=named.models,
            request_key=request_key(job.job_id),
            now=now,
        )
        if queued is None:
            raise state_conflict(self.transitions.jobs.get(job.job_id) or job, "started")
        # Only the request that made the transition goes on from here, so only it writes and removes the document.
        try:
            pictures = self._pictures(job, params)
            self.objects.put_request(_request(queued, params, files, pictures))
            return self.delivery.hand_over(queued)
        except (ProblemError, ClientError, BotoCoreError):
            self._undo(lambda: self.objects.remove(request_key(job.job_id)), job)
            self._undo(lambda: self.transitions.unqueue(job.job_id, checkpoint=job.checkpoint), job)
            self._undo(lambda: self.counts.give_back_steps(charged), job)
            raise

    def _admit(self, job: JobRecord, quotas: Quotas) -> None:
        guards = self.registry.guards(job.endpoint)
        self.counts.admit(job, quotas, guards=guards, retention_days=self.retention_days)

    def _pictures(self, job: JobRecord, params: dict[str, Any]) -> dict[str, str]:
        """Pictures the params only name: URLs as they are, inputs as copies that belong to the job.

        Raises:
            ProblemError: `invalid_params`, naming every input that is not there.
        """
        copies = self._refuse_missing(job, params, self.objects.copy)
        return pictures_elsewhere(params) | copies

    @staticmethod
    def _refuse_missing(job: JobRecord, params: dict[str, Any], is_there: Callable[[str, str], bool]) -> dict[str, str]:
        """Where the job's copies of its inputs are, by pointer; `is_there` takes the keys of an input and its copy."""
        copies, missing = {}, []
        for number, (place, text) in enumerate(pictures_elsewhere(params).items()):
            if not is_id(text):
                continue
            copies[place] = f"{job_prefix(job.job_id)}input/{number}"
            if not is_there(input_key(job.owner, text), copies[place]):
                message = f"received {text!r}, which is no input of yours that has been uploaded"
                missing.append(FieldError(pointer=f"{ROOT}{place}", message=message))
        if missing:
            raise invalid(missing)
        return copies

    def _uploaded_params(self, job: JobRecord) -> dict[str, Any]:
        try:
            data = self.objects.read(params_key(job.job_id), max_bytes=MAX_PARAMS_BYTES)
        except ObjectTooLargeError as error:
            raise ProblemError(
                ProblemCode.BODY_TOO_LARGE,
                f"Received a params document of {error.size} bytes; allowed: up to {MAX_PARAMS_BYTES}.",
            ) from error
        if data is None:
            raise ProblemError(
                ProblemCode.UPLOAD_INCOMPLETE, "The params document has not been put to the job's upload URL yet."
            )
        document = read_document(data)
        if not isinstance(document, dict):
            message = f"received a {type(document).__name__}; allowed: a JSON object"
            raise ProblemError(
                ProblemCode.INVALID_PARAMS, message, errors=[FieldError(pointer="/params", message=message)]
            )
        return document

    @staticmethod
    def _undo(step: Callable[[], object], job: JobRecord) -> None:
        try:
            step()
        except (ClientError, BotoCoreError):
            _LOG.exception("job %s was not cleaned up", job.job_id, extra=job.log_ids)


def state_conflict(job: JobRecord, what: str) -> ProblemError:
    return ProblemError(ProblemCode.JOB_STATE_CONFLICT, f"The job is {job.status}: it cannot be {what}.")


def _with_files(job: JobRecord, files: Resolution) -> JobRecord:
    used = [*([files.checkpoint] if files.checkpoint else []), *files.assets]
    models = tuple(ResolvedModel(type=asset.type, name=asset.name, sha256=asset.sha256) for asset in used)
    return replace(job, checkpoint=files.checkpoint.name if files.checkpoint else None, models=models)


def _request(job: JobRecord, params: dict[str, Any], files: Resolution, pictures: dict[str, str]) -> JobRequest:
    return JobRequest(
        job_id=job.job_id,
        task=job.task,
        params=params,
        checkpoint=files.checkpoint,
        assets=list(files.assets),
        pictures=pictures,
        preview=job.preview,
        correlation_id=job.correlation_id,
        output_prefix=output_prefix(job.job_id),
    )
