"""The webhook receivers of a soak's users: some fail at first, and all record what they receive."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from checks.soak.jobs import SoakJob
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.webhooks import Webhook
from tests.fetch.local_sites import Asked, Handler, Sites


def _error(handler: Handler) -> None:
    handler.answer(status=500)


def _busy(handler: Handler) -> None:
    handler.answer(status=503, Retry_After="1")


def _dropped(handler: Handler) -> None:
    """Read everything and close without an answer."""
    handler.close_connection = True


def _silent(handler: Handler) -> None:
    """Stay silent until the sender gives up."""
    handler.connection.recv(1)
    handler.close_connection = True


TROUBLES: tuple[tuple[Callable[[Handler], None], ...], ...] = (
    (),
    (_error,),
    (_dropped, _busy),
    (_silent,),
    (_dropped,),
)
"""How receivers fail before they accept a webhook; each job's receiver takes the next row."""


@dataclass(frozen=True)
class Expected:
    """What the receiver of one job must have received."""

    job: SoakJob
    secret: str
    ends: Mapping[str, JobStatus]
    """Final statuses by job id: the first job and its retries."""


class Receivers:
    """Receivers on one site, with one path for each job with a webhook."""

    def __init__(self, sites: Sites, jobs: Sequence[SoakJob]) -> None:
        self._sites = sites
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._troubles: dict[str, Sequence[Callable[[Handler], None]]] = {}
        for place, job in enumerate(job for job in jobs if job.has_webhook):
            self._troubles[_path(job)] = TROUBLES[place % len(TROUBLES)]
            sites.on(_path(job), self._answer)

    def webhook(self, job: SoakJob) -> Webhook | None:
        """The webhook to send the job with."""
        return Webhook(url=self._sites.url(_path(job))) if job.has_webhook else None

    def told(self) -> list[Asked]:
        """Everything that was posted so far."""
        return list(self._sites.asked)

    def refusals(self, job: SoakJob) -> int:
        """The number of attempts that this job's receiver refuses."""
        return len(self._troubles[_path(job)])

    def _answer(self, handler: Handler) -> None:
        troubles = self._troubles[handler.path]
        with self._lock:
            asked = self._asked[handler.path]
            self._asked[handler.path] += 1
        if asked < len(troubles):
            troubles[asked](handler)
        else:
            handler.answer(status=204)


def faults(told: Sequence[Asked], expected: Sequence[Expected], refusals: Callable[[SoakJob], int]) -> list[str]:
    """What is wrong with the webhooks that the receivers got."""
    wrong = []
    paths = {_path(one.job): one for one in expected}
    for asked in told:
        one = paths.get(asked.path)
        wrong += [f"{asked.path}: {fault}" for fault in (_faults_of(asked, one) if one else ["it was not requested"])]
    for one in expected:
        wrong += [f"{_path(one.job)}: {fault}" for fault in _missing(told, one, refusals(one.job))]
    return wrong


def _faults_of(asked: Asked, one: Expected) -> Iterator[str]:
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if not signed(one.secret, headers, asked.body):
        yield "its signature was not made with its user's secret"
        return
    document, job_id = json.loads(asked.body), headers["webhook-id"]
    end = one.ends.get(job_id)
    if end is None:
        yield f"it received {job_id}, which has not finished or is not its job"
        return
    data = document["data"]
    received = (document["type"], data["status"], data["job_id"], data["metadata"])
    true = (f"job.{end}", end.value, job_id, {"number": str(one.job.number)})
    if received != true:
        yield f"it received {received} instead of {true}"


def _missing(told: Sequence[Asked], one: Expected, refusals: int) -> Iterator[str]:
    mine = [asked for asked in told if asked.path == _path(one.job)]
    bodies: dict[str, set[bytes]] = {job_id: set() for job_id in one.ends}
    for asked in mine:
        bodies.setdefault(asked.headers.get("webhook-id", ""), set()).add(asked.body)
    for job_id, said in bodies.items():
        if len(said) != 1:
            yield f"it received {len(said)} different webhooks for {job_id}"
    if len(mine) < refusals + len(one.ends):
        yield f"it received {len(mine)} attempts; expected: {refusals} that it refuses and {len(one.ends)} webhooks"


def signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one `v1` signature is base64(HMAC-SHA256(key, id.time.body)), by the standard and not by our code."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        given = headers["webhook-signature"].split(" ")
    except KeyError:
        return False
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in given


def _path(job: SoakJob) -> str:
    return f"/hooks/{job.number}"
