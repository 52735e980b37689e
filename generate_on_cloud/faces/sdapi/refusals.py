"""Every error in WebUI's own shape, with our sentence where clients look for it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from generate_on_cloud.contract.errors import JOB_ERRORS, FieldError, JobError, Problem, ProblemCode
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import JobStatus

WHO = 401
REQUEST_INVALID = 422
INTERRUPTED = 409
CLOUD_FAILED = 502
CLOUD_AWAY = 503
NOT_YET = 504
_NOT_THERE = 404
_NO_SUCH_FILE = 400
"""For a model file that does not exist: clients read 404 as "this WebUI was started without --api"."""


class RefusalError(Exception):
    """The request is answered with this HTTP status and sentence instead of a result."""

    def __init__(
        self, status: int, detail: str, *, errors: str = "", headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        """One line for each field that was refused."""
        self.headers = headers

    def document(self) -> dict[str, str]:
        """The body of the answer."""
        return {"error": "HTTPException", "detail": self.detail, "body": "", "errors": self.errors}


def of_fields(faults: Sequence[FieldError]) -> RefusalError:
    """Fields of the request are refused."""
    return RefusalError(REQUEST_INVALID, _sentence(faults), errors=_lines(faults))


def of_problem(problem: Problem, *, own_key: bool = False) -> RefusalError:
    """The cloud refused the request; `own_key`: the key came from the client."""
    detail = problem.detail or problem.title
    if problem.code is ProblemCode.UNAUTHORIZED and own_key:
        return RefusalError(WHO, detail)
    if problem.code is ProblemCode.UNAUTHORIZED:
        # 401 would make clients ask for WebUI's own user name and password.
        detail = f"The cloud does not accept the key of this server any more: {detail} Log in and start it again."
        return RefusalError(CLOUD_FAILED, detail)
    faults = _below_params(problem.errors)
    if faults and problem.code in (ProblemCode.INVALID_PARAMS, ProblemCode.NOT_SUPPORTED_YET):
        detail = _sentence(faults)
    status = problem.status
    if status == _NOT_THERE:
        status = _NO_SUCH_FILE
    elif status >= 500 and problem.code is not ProblemCode.ENDPOINT_NOT_IN_SERVICE:
        status = CLOUD_FAILED
    return RefusalError(status, f"{detail} (request {problem.request_id})" if status >= 500 else detail,
                        errors=_lines(faults))  # fmt: skip


def of_job(job_id: str, status: JobStatus, error: JobError | None) -> RefusalError:
    """The job ended without a result."""
    if status is JobStatus.CANCELED:
        return RefusalError(INTERRUPTED, f"Job {job_id} was interrupted.")
    if status is JobStatus.EXPIRED:
        return RefusalError(CLOUD_AWAY, f"Job {job_id} expired: no GPU took it in time.")
    if error is None:
        return RefusalError(CLOUD_FAILED, f"Job {job_id} failed; the cloud gave no reason.")
    code = JOB_ERRORS[error.code].http_status
    detail = f"{error.message} (job {job_id}, {error.code})"
    return RefusalError(REQUEST_INVALID if code == _NOT_THERE else code, detail)


def not_yet(job: JobView) -> RefusalError:
    """The job goes on, but this request cannot wait any longer."""
    queued = job.status is not JobStatus.RUNNING
    state = "waits for a GPU" if queued else "is being drawn"
    detail = (f"Job {job.job_id} {state}. It goes on: send the same request again within ten minutes to get its "
              "pictures; /sdapi/v1/progress shows how far it is.")  # fmt: skip
    return RefusalError(NOT_YET, detail, headers={"Retry-After": "1"})


def _below_params(faults: Sequence[FieldError]) -> list[FieldError]:
    """With pointers into the body that the client sent."""
    return [fault.model_copy(update={"pointer": fault.pointer.removeprefix("/params")}) for fault in faults]


def _sentence(faults: Sequence[FieldError]) -> str:
    first = faults[0]
    more = f" ({len(faults) - 1} more errors are listed)" if len(faults) > 1 else ""
    name = first.pointer.lstrip("/") or "request"
    # Messages about an infotext name it themselves.
    return f"{first.message if first.message.startswith(f'{name}:') else f'{name}: {first.message}'}{more}"


def _lines(faults: Sequence[FieldError]) -> str:
    return "\n".join(f"{fault.pointer}: {fault.message}" for fault in faults)
