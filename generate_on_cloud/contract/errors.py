"""Every error code that users can meet, from the API (problem JSON) and in a failed job.

ProblemCode   answers of the HTTP API, RFC 9457: HTTP status and title in PROBLEMS
JobErrorCode  why a job is `failed` or `canceled`: `job.error.code`; JOB_ERRORS says which are retryable
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel


class ProblemCode(StrEnum):
    INVALID_JSON = "invalid_json"
    INVALID_PARAMS = "invalid_params"
    NOT_SUPPORTED_YET = "not_supported_yet"
    INVALID_CURSOR = "invalid_cursor"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    ASSET_NOT_FOUND = "asset_not_found"
    ASSET_NOT_ACTIVE = "asset_not_active"
    ASSET_EXISTS = "asset_exists"
    ASSET_IN_USE = "asset_in_use"
    ASSET_STATE_CONFLICT = "asset_state_conflict"
    UPLOAD_INCOMPLETE = "upload_incomplete"
    UPLOAD_MISMATCH = "upload_mismatch"
    JOB_STATE_CONFLICT = "job_state_conflict"
    CHANGED_MEANWHILE = "changed_meanwhile"
    NAME_TAKEN = "name_taken"
    ROLE_IN_USE = "role_in_use"
    LAST_ADMIN = "last_admin"
    TOO_MANY_KEYS = "too_many_keys"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    BODY_TOO_LARGE = "body_too_large"
    ENDPOINT_NOT_IN_SERVICE = "endpoint_not_in_service"
    ENDPOINT_IN_USE = "endpoint_in_use"
    AWS_QUOTA_EXCEEDED = "aws_quota_exceeded"
    TOO_MANY_REQUESTS = "too_many_requests"
    QUOTA_EXCEEDED = "quota_exceeded"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class ProblemRule:
    status: int
    title: str


def _rule(status: int, title: str) -> ProblemRule:
    return ProblemRule(status=status, title=title)


PROBLEMS: Mapping[ProblemCode, ProblemRule] = MappingProxyType(
    {
        ProblemCode.INVALID_JSON: _rule(400, "The body is not valid JSON"),
        ProblemCode.INVALID_PARAMS: _rule(422, "Some fields of the request are invalid"),
        ProblemCode.NOT_SUPPORTED_YET: _rule(422, "The request uses a feature that is not supported yet"),
        ProblemCode.INVALID_CURSOR: _rule(400, "The cursor did not come from this API"),
        ProblemCode.UNAUTHORIZED: _rule(401, "The key or code is missing or invalid"),
        ProblemCode.FORBIDDEN: _rule(403, "This key does not have the required permission"),
        ProblemCode.NOT_FOUND: _rule(404, "The resource does not exist"),
        ProblemCode.METHOD_NOT_ALLOWED: _rule(405, "This resource does not support the method"),
        ProblemCode.ASSET_NOT_FOUND: _rule(404, "The asset does not exist"),
        ProblemCode.ASSET_NOT_ACTIVE: _rule(409, "The asset is not active"),
        ProblemCode.ASSET_EXISTS: _rule(409, "An asset of this type and name already exists"),
        ProblemCode.ASSET_IN_USE: _rule(409, "An open job uses the asset"),
        ProblemCode.ASSET_STATE_CONFLICT: _rule(409, "The asset's status does not allow this action"),
        ProblemCode.UPLOAD_INCOMPLETE: _rule(409, "The upload is not complete"),
        ProblemCode.UPLOAD_MISMATCH: _rule(422, "The upload does not match its declaration"),
        ProblemCode.JOB_STATE_CONFLICT: _rule(409, "The job's status does not allow this action"),
        ProblemCode.CHANGED_MEANWHILE: _rule(412, "Somebody else has changed it meanwhile"),
        ProblemCode.NAME_TAKEN: _rule(409, "The name is already taken"),
        ProblemCode.ROLE_IN_USE: _rule(409, "Some users have this role"),
        ProblemCode.LAST_ADMIN: _rule(409, "At least one admin is required"),
        ProblemCode.TOO_MANY_KEYS: _rule(409, "The user has too many keys"),
        ProblemCode.IDEMPOTENCY_MISMATCH: _rule(422, "The Idempotency-Key belongs to another request"),
        ProblemCode.IDEMPOTENCY_IN_FLIGHT: _rule(
            409, "The first request with this Idempotency-Key is still in progress"
        ),
        ProblemCode.BODY_TOO_LARGE: _rule(413, "The body is too large"),
        ProblemCode.ENDPOINT_NOT_IN_SERVICE: _rule(503, "The endpoint is not in service"),
        ProblemCode.ENDPOINT_IN_USE: _rule(409, "The endpoint has open jobs"),
        ProblemCode.AWS_QUOTA_EXCEEDED: _rule(409, "A quota of the AWS account blocks the request"),
        ProblemCode.TOO_MANY_REQUESTS: _rule(429, "Too many requests"),
        ProblemCode.QUOTA_EXCEEDED: _rule(429, "A quota is exhausted"),
        ProblemCode.INTERNAL: _rule(500, "The service failed"),
    }
)


class FieldError(BaseModel, defer_build=True):
    """One field that was refused."""

    pointer: str
    """RFC 6901 JSON pointer into the request body, or `query:NAME` / `path:NAME` / `header:NAME`."""
    message: str
    """What was received and what is allowed, written for the user."""


class Problem(BaseModel, defer_build=True):
    """RFC 9457 problem details: the API's only error format (`application/problem+json`)."""

    type: str
    """`urn:generate-on-cloud:problem:CODE`"""
    title: str
    status: int
    code: ProblemCode
    detail: str
    request_id: str
    errors: list[FieldError] = []


class JobErrorCode(StrEnum):
    BAD_IMAGE = "bad_image"
    INVALID_PARAMS = "invalid_params"
    NOT_SUPPORTED_YET = "not_supported_yet"
    ASSET_MISSING = "asset_missing"
    ASSET_CORRUPT = "asset_corrupt"
    ASSET_INCOMPATIBLE = "asset_incompatible"
    CONTRACT_MISMATCH = "contract_mismatch"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    NAN_LATENTS = "nan_latents"
    CANCELED = "canceled"
    RUNS_ELSEWHERE = "runs_elsewhere"
    """Answers a second delivery while another worker has the job; it does not end the job."""
    WORKER_LOST = "worker_lost"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class JobErrorRule:
    retryable: bool
    """Whether the same request may succeed when sent again."""
    http_status: int
    """HTTP status the container sends to SageMaker: 4xx for the request's fault, 5xx for ours."""


def _job_rule(http_status: int, *, retryable: bool = False) -> JobErrorRule:
    return JobErrorRule(retryable=retryable, http_status=http_status)


JOB_ERRORS: Mapping[JobErrorCode, JobErrorRule] = MappingProxyType(
    {
        JobErrorCode.BAD_IMAGE: _job_rule(422),
        JobErrorCode.INVALID_PARAMS: _job_rule(422),
        JobErrorCode.NOT_SUPPORTED_YET: _job_rule(422),
        JobErrorCode.ASSET_MISSING: _job_rule(404),
        JobErrorCode.ASSET_CORRUPT: _job_rule(422),
        JobErrorCode.ASSET_INCOMPATIBLE: _job_rule(422),
        JobErrorCode.CONTRACT_MISMATCH: _job_rule(400),
        JobErrorCode.OUT_OF_MEMORY: _job_rule(507, retryable=True),
        JobErrorCode.OUT_OF_DISK: _job_rule(507, retryable=True),
        JobErrorCode.NAN_LATENTS: _job_rule(500),
        JobErrorCode.CANCELED: _job_rule(409),
        JobErrorCode.RUNS_ELSEWHERE: _job_rule(409),
        JobErrorCode.WORKER_LOST: _job_rule(500, retryable=True),
        JobErrorCode.TIMED_OUT: _job_rule(500, retryable=True),
        JobErrorCode.INTERNAL: _job_rule(500, retryable=True),
    }
)


class JobError(BaseModel, defer_build=True):
    """Why a job did not succeed: `job.error`."""

    code: JobErrorCode
    message: str
    """The real reason, written for the user."""
    retryable: bool

    @classmethod
    def of(cls, code: JobErrorCode, message: str) -> "JobError":
        return cls(code=code, message=message, retryable=JOB_ERRORS[code].retryable)


class JobFailed(Exception):  # noqa: N818 - the noun is a failed job; the error is its value
    """Raised inside the container to fail the running job with this error; the worker stays healthy."""

    def __init__(self, code: JobErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = JobError.of(code, message)


def reference_token(name: str) -> str:
    """`name` as one step of a JSON pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
