"""What can go wrong when talking to the cloud.

CloudError
├── ConnectionLostError   the service could not be reached or broke off
├── ProblemError          the service refused: `.problem` is its RFC 9457 answer
├── TransferError         a presigned upload or download failed
├── NotLoggedInError      there is no login to be found
├── NotFoundError         nothing is called so
├── AssetFailedError      a model file is not what it was declared to be: `.asset` tells why
└── JobNotSucceededError  a job ended failed, canceled or expired: `.job` tells why
"""

from collections.abc import Mapping

from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.errors import Problem
from generate_on_cloud.contract.job_bodies import JobView


class CloudError(Exception):
    """Any failure of this client; its text is meant for the user."""

    done: Mapping[str, object] = {}
    """What a command over several things had done by then, as its answer names it."""


class ConnectionLostError(CloudError):
    """The service could not be reached."""


class ProblemError(CloudError):
    """The service answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        fields = "".join(f"\n  {error.pointer}: {error.message}" for error in problem.errors)
        super().__init__(f"{problem.detail or problem.title} ({problem.code}, request {problem.request_id}){fields}")
        self.problem = problem


class TransferError(CloudError):
    """Bytes could not be moved to or from storage."""


class NotLoggedInError(CloudError):
    """Neither the environment nor `goc login` tells URL and key."""


class NotFoundError(CloudError):
    """What the user named is not there."""


class AssetFailedError(CloudError):
    """A model file that did not become active."""

    def __init__(self, asset: AssetView) -> None:
        super().__init__(f"{asset.name}: {asset.error or 'no reason was given'}")
        self.asset = asset


class JobNotSucceededError(CloudError):
    """A job ended without a result."""

    def __init__(self, job: JobView) -> None:
        reason = f"{job.error.code}: {job.error.message}" if job.error else "no reason was given"
        super().__init__(f"job {job.job_id} {job.status}: {reason}")
        self.job = job
