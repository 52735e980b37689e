"""Parses a job request strictly: its version, its structure, then the task's params; errors name the user's fields."""

import json
from typing import NamedTuple

from pydantic import ValidationError

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.contract.task_params import TaskParams

NAMED_ERRORS = 10
"""Maximum number of invalid fields that an error message names."""


def read_request(document: bytes, *, known: int = CONTRACT_VERSION) -> JobRequest:
    """Parse `document`, UTF-8 JSON of any contract version up to `known`.

    Raises:
        JobFailed: CONTRACT_MISMATCH if it is for a newer container; INVALID_PARAMS if it is not a JobRequest.
    """
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"the request document is not JSON: {error}") from error
    # Checked before the structure, because a newer document may have fields that this container does not know.
    version = raw.get("contract_version", known) if isinstance(raw, dict) else known
    if isinstance(version, int) and version > known:
        raise JobFailed(
            JobErrorCode.CONTRACT_MISMATCH,
            f"the request has contract version {version}, this container supports up to {known}; "
            "deploy the container again",
        )
    try:
        return JobRequest.model_validate(raw)
    except ValidationError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"the request document is not valid: {_words(error)}") from error


class Ids(NamedTuple):
    """Ids for finding a job's log lines, spans and results."""

    job_id: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    task: str | None = None


def ids_of(document: bytes) -> Ids:
    """The ids in a document, even if it is not a valid request."""
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        return Ids()
    found = [raw.get(name) if isinstance(raw, dict) else None for name in Ids._fields]
    return Ids(*(value if isinstance(value, str) else None for value in found))


def limit_of(document: bytes) -> int | None:
    """The run's time limit in seconds; None if the document has none, or is not a valid request."""
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        return None
    limit = raw.get("run_timeout_s") if isinstance(raw, dict) else None
    return limit if type(limit) is int and limit > 0 else None


def read_params(request: JobRequest) -> TaskParams:
    """Parse the params with the task's model.

    Raises:
        JobFailed: INVALID_PARAMS or NOT_SUPPORTED_YET; the message names the fields.
    """
    try:
        params = PARAMS_BY_TASK[request.task].model_validate(request.params)
    except ValidationError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, _words(error)) from error
    unsupported = params.unsupported()
    if unsupported:
        raise JobFailed(
            JobErrorCode.NOT_SUPPORTED_YET, "; ".join(field.message for field in unsupported[:NAMED_ERRORS])
        )
    return params


def _words(error: ValidationError) -> str:
    """Which fields are invalid and why. Received values are shortened, because they may be whole pictures."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'document'}: {found['msg']} (received {_short(found['input'])})"
        for found in error.errors(include_url=False, include_context=False)[:NAMED_ERRORS]
    )


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__} of {len(value)}"
    return text if len(text) <= 60 else f"{text[:57]}…"
