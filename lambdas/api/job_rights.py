"""Which jobs a caller may see: others' are as if they were not there."""

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.api.routes import UserCall
from lambdas.aws.rows import is_id
from lambdas.jobs.record import JobRecord
from lambdas.problems import ProblemError


def own_job(call: UserCall, job_id: str) -> JobRecord:
    return visible_job(call, call.services.jobs.get(job_id) if is_id(job_id) else None, job_id)


def visible_job(call: UserCall, job: JobRecord | None, job_id: str) -> JobRecord:
    if job is None or not call.caller.may_see(job.owner):
        raise ProblemError(ProblemCode.NOT_FOUND, f"There is no job {job_id[:100]!r}.")
    return job
