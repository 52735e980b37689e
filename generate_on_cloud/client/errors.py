"""Everything that can go wrong when talking to the cloud.

CloudError
├── ConnectionLostError   the service could not be reached, or the connection was lost
├── WrongUrlError         something else answers at this URL
├── ProblemError          the service refused the request: `.problem` is its RFC 9457 answer
├── TransferError         a presigned upload or download failed
├── NotLoggedInError      no login was found
├── NotFoundError         there is nothing of this name or id
├── AssetFailedError      a model file is not what was declared: `.asset` says why
└── JobNotSucceededError  a job failed, was canceled or expired: `.job` says why
"""

from collections.abc import Mapping

from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.errors import Problem
from generate_on_cloud.contract.job_bodies import JobView


class CloudError(Exception):
    """Any failure of this client; its text is written for the user."""

    done: Mapping[str, object] = {}
    """The results of a command on several things up to its failure, as the printed document names them."""
    prefix: str = ""
    """Which of several things this is about, in front of the text."""

    def __str__(self) -> str:
        return f"{self.prefix}{super().__str__()}"


class ConnectionLostError(CloudError):
    """The service could not be reached, or the connection was lost."""


class WrongUrlError(CloudError):
    """The URL is not one, or what answers there is not this service."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url} is not the URL of Generate on Cloud: {what}")
        self.url = url


class ProblemError(CloudError):
    """The service answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        said = [error for error in problem.errors if error.message not in problem.detail]
        fields = "".join(f"\n  {error.pointer.removeprefix('query:')}: {error.message}" for error in said)
        super().__init__(f"{problem.detail or problem.title} ({problem.code}, request {problem.request_id}){fields}")
        self.problem = problem


class TransferError(CloudError):
    """Bytes could not be moved to or from storage."""


class NotLoggedInError(CloudError):
    """Neither the environment nor `goc login` provides a URL and key."""


class NotFoundError(CloudError):
    """There is nothing of the name or id that the user gave."""


class AssetFailedError(CloudError):
    """A model file that did not become active."""

    def __init__(self, asset: AssetView) -> None:
        super().__init__(f"{asset.name}: {asset.error or 'no reason given'}")
        self.asset = asset


class AssetPausedError(CloudError):
    """An import that goes on only once it is resumed."""

    def __init__(self, asset: AssetView) -> None:
        super().__init__(f"{asset.name}: its import is paused; POST /v1/assets/{asset.asset_id}/resume goes on")
        self.asset = asset


class JobNotSucceededError(CloudError):
    """A job finished without a result."""

    def __init__(self, job: JobView) -> None:
        reason = f"{job.error.code}: {job.error.message}" if job.error else "no reason was given"
        super().__init__(f"job {job.job_id} {job.status}: {reason}")
        self.job = job
