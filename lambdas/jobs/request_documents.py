"""What a job is sent with: uploaded params, the pictures they refer to, and the document the container reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobRequest
from lambdas.aws.rows import is_id
from lambdas.field_errors import ROOT
from lambdas.jobs.objects import (
    JobObjects,
    ObjectTooLargeError,
    input_key,
    job_prefix,
    output_prefix,
    params_key,
    request_key,
)
from lambdas.jobs.pictures import pictures_elsewhere
from lambdas.jobs.record import JobRecord, fields_of
from lambdas.jobs.resolution import Resolution
from lambdas.json_documents import read_document
from lambdas.problems import ProblemError, invalid

MAX_PARAMS_BYTES = 64 * 1024**2
"""Maximum size of a params document uploaded by presigned URL."""
_FINISHED = {
    JobStatus.SUCCEEDED: "has already succeeded",
    JobStatus.FAILED: "has already failed",
    JobStatus.CANCELED: "has already been canceled",
    JobStatus.EXPIRED: "has already expired",
}


@dataclass(frozen=True)
class RequestDocuments:
    objects: JobObjects

    def write(self, job: JobRecord, params: dict[str, Any], files: Resolution) -> None:
        """Copy the inputs that the params refer to into the job, and store its request document.

        Raises:
            ProblemError: `invalid_params`, naming every missing input.
        """
        copies = _refuse_missing(job, params, self.objects.copy)
        others = {
            "params": params,
            "checkpoint": files.checkpoint,
            "assets": list(files.assets),
            "run_timeout_s": job.run_seconds_allowed,
            "pictures": pictures_elsewhere(params) | copies,
            "output_prefix": output_prefix(job.job_id),
        }
        request = JobRequest(**{**fields_of(job, among=JobRequest.model_fields), **others})
        self.objects.put_request(request)

    def remove(self, job: JobRecord) -> None:
        """Delete the request document and the job's copies of its inputs."""
        self.objects.remove_all(f"{job_prefix(job.job_id)}input/", also=[request_key(job.job_id)])

    def require_inputs(self, job: JobRecord, params: dict[str, Any]) -> None:
        """Check that the inputs that the params refer to exist.

        Raises:
            ProblemError: `invalid_params`, naming every missing one.
        """
        _refuse_missing(job, params, lambda key, _: self.objects.exists(key))

    def sent_with(self, job: JobRecord) -> JobRequest:
        """The request document that a job was sent with.

        Raises:
            ProblemError: `job_state_conflict` if it is not stored (any more).
        """
        data = self.objects.read(job.request_key, max_bytes=2 * MAX_PARAMS_BYTES) if job.request_key else None
        if data is None:
            raise state_conflict(job, "sent again: its request is no longer stored")
        return JobRequest.model_validate_json(data)

    def uploaded_params(self, job: JobRecord) -> dict[str, Any]:
        """The params document that was uploaded for a `created` job.

        Raises:
            ProblemError: `upload_incomplete`, `body_too_large`, `invalid_json` or `invalid_params`.
        """
        try:
            data = self.objects.read(params_key(job.job_id), max_bytes=MAX_PARAMS_BYTES)
        except ObjectTooLargeError as error:
            raise ProblemError(
                ProblemCode.BODY_TOO_LARGE,
                f"Received a params document of {error.size} bytes; allowed: up to {MAX_PARAMS_BYTES}.",
            ) from error
        if data is None:
            raise ProblemError(
                ProblemCode.UPLOAD_INCOMPLETE, "The params document has not been uploaded to the job's upload URL yet."
            )
        document = read_document(data)
        if not isinstance(document, dict):
            message = f"received a {type(document).__name__}; allowed: a JSON object"
            raise ProblemError(
                ProblemCode.INVALID_PARAMS, message, errors=[FieldError(pointer="/params", message=message)]
            )
        return document


def state_conflict(job: JobRecord, what: str) -> ProblemError:
    state = _FINISHED.get(job.status, f"is {job.status}")
    return ProblemError(ProblemCode.JOB_STATE_CONFLICT, f"The job {state} and cannot be {what}.")


def _refuse_missing(job: JobRecord, params: dict[str, Any], is_there: Callable[[str, str], bool]) -> dict[str, str]:
    """Keys of the job's copies of its inputs, by pointer; `is_there` gets the keys of an input and its copy."""
    copies, missing = {}, []
    for number, (place, text) in enumerate(pictures_elsewhere(params).items()):
        if not is_id(text):
            continue
        copies[place] = f"{job_prefix(job.job_id)}input/{number}"
        if not is_there(input_key(job.owner, text), copies[place]):
            message = f"received {text!r}, which is not an input that you have uploaded"
            missing.append(FieldError(pointer=f"{ROOT}{place}", message=message))
    if missing:
        raise invalid(missing)
    return copies
