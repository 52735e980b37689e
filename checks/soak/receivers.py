"""The servers that a soak's users have told of their jobs: some fail at first, and all keep what they were told."""

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
    """It has read everything, and the sender cannot know."""
    handler.close_connection = True


def _silent(handler: Handler) -> None:
    """Until the sender has waited long enough and hangs up."""
    handler.connection.recv(1)
    handler.close_connection = True


TROUBLES: tuple[tuple[Callable[[Handler], None], ...], ...] = (
    (),
    (_error,),
    (_dropped, _busy),
    (_silent,),
    (_dropped,),
)
"""What a receiver answers before it takes what it is told; each job's has the next row."""


@dataclass(frozen=True)
class Expected:
    """What the receiver of one job must have been told."""

    job: SoakJob
    secret: str
    ends: Mapping[str, JobStatus]
    """By job id: the first and its retries."""


class Receivers:
    """A path of one site for each job with a webhook."""

    def __init__(self, sites: Sites, jobs: Sequence[SoakJob]) -> None:
        self._sites = sites
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._troubles: dict[str, Sequence[Callable[[Handler], None]]] = {}
        for place, job in enumerate(job for job in jobs if job.has_webhook):
            self._troubles[_path(job)] = TROUBLES[place % len(TROUBLES)]
            sites.on(_path(job), self._answer)

    def webhook(self, job: SoakJob) -> Webhook | None:
        """What the job is sent with."""
        return Webhook(url=self._sites.url(_path(job))) if job.has_webhook else None

    def told(self) -> list[Asked]:
        """Everything that was posted so far."""
        return list(self._sites.asked)

    def refusals(self, job: SoakJob) -> int:
        """How many attempts this job's receiver does not take."""
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
    """What is wrong with what all receivers were told."""
    wrong = []
    paths = {_path(one.job): one for one in expected}
    for asked in told:
        one = paths.get(asked.path)
        wrong += [f"{asked.path}: {fault}" for fault in (_faults_of(asked, one) if one else ["nobody asked for it"])]
    for one in expected:
        wrong += [f"{_path(one.job)}: {fault}" for fault in _missing(told, one, refusals(one.job))]
    return wrong


def _faults_of(asked: Asked, one: Expected) -> Iterator[str]:
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if not signed(one.secret, headers, asked.body):
        yield "its signature is not by its user's secret"
        return
    document, job_id = json.loads(asked.body), headers["webhook-id"]
    end = one.ends.get(job_id)
    if end is None:
        yield f"it was told of {job_id}, which has not ended or is not its job"
        return
    data = document["data"]
    received = (document["type"], data["status"], data["job_id"], data["metadata"])
    true = (f"job.{end}", end.value, job_id, {"number": str(one.job.number)})
    if received != true:
        yield f"it was told {received}, true is {true}"


def _missing(told: Sequence[Asked], one: Expected, refusals: int) -> Iterator[str]:
    mine = [asked for asked in told if asked.path == _path(one.job)]
    bodies: dict[str, set[bytes]] = {job_id: set() for job_id in one.ends}
    for asked in mine:
        bodies.setdefault(asked.headers.get("webhook-id", ""), set()).add(asked.body)
    for job_id, said in bodies.items():
        if len(said) != 1:
            yield f"it was told {len(said)} different things of {job_id}"
    if len(mine) < refusals + len(one.ends):
        yield f"it was asked {len(mine)} times; it refused {refusals}, and {len(one.ends)} jobs were to be told"


def signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether some `v1` signature is base64(HMAC-SHA256(key, id.time.body)): the standard's text, not our code."""
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
