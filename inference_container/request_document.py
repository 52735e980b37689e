"""Reading a job request: its version, its shape, then the task's own params; strict, and in the user's words."""

import json
from typing import NamedTuple

from pydantic import ValidationError

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.contract.task_params import TaskParams

NAMED_ERRORS = 10
"""How many of the wrong fields an error message names."""


def read_request(document: bytes, *, known: int = CONTRACT_VERSION) -> JobRequest:
    """The request in `document`, UTF-8 JSON, of any contract version up to `known`.

    Raises:
        JobFailed: CONTRACT_MISMATCH, it was written for a newer container; INVALID_PARAMS, it is no JobRequest.
    """
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"the request document is not JSON: {error}") from error
    # Before the shape: a newer document may have fields this container cannot know.
    version = raw.get("contract_version", known) if isinstance(raw, dict) else known
    if isinstance(version, int) and version > known:
        raise JobFailed(
            JobErrorCode.CONTRACT_MISMATCH,
            f"the request has contract version {version}, this container knows up to {known}; "
            "deploy the container again",
        )
    try:
        return JobRequest.model_validate(raw)
    except ValidationError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"the request document is not valid: {_words(error)}") from error


class Ids(NamedTuple):
    """What a job's log lines and answers are found by."""

    job_id: str | None = None
    correlation_id: str | None = None


def ids_of(document: bytes) -> Ids:
    """The job a document speaks of, even when it is no valid request."""
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        return Ids()
    found = [raw.get(name) if isinstance(raw, dict) else None for name in Ids._fields]
    return Ids(*(value if isinstance(value, str) else None for value in found))


def read_params(request: JobRequest) -> TaskParams:
    """The params by the task's own model.

    Raises:
        JobFailed: INVALID_PARAMS or NOT_SUPPORTED_YET, naming the fields.
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
    """Which fields are wrong and why. Received values are cut short: they may be whole pictures."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'document'}: {found['msg']} (received {_short(found['input'])})"
        for found in error.errors(include_url=False, include_context=False)[:NAMED_ERRORS]
    )


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, dict | list) else f"a {type(value).__name__} of {len(value)}"
    return text if len(text) <= 60 else f"{text[:57]}…"
