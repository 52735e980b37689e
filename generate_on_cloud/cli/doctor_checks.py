"""What `goc doctor` looks at, with nothing but the URL and the key: each check returns a row and changes nothing.

One exception: the storage check uploads a picture of 68 bytes, which storage deletes with the other inputs.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from generate_on_cloud import __version__
from generate_on_cloud.cli.doctor_rows import Row, Verdict
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError, ProblemError
from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.accounts import MeView
from generate_on_cloud.contract.assets import AssetStatus, AssetType
from generate_on_cloud.contract.bodies import Health
from generate_on_cloud.contract.endpoints import EndpointStatus, EndpointView
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.jobs import TERMINAL

SKEW: Final = timedelta(seconds=60)
"""A clock that is further off shows wrong times; AWS's own tools refuse to work beyond five minutes."""
SOON: Final = timedelta(days=7)
_TAKES_JOBS: Final = frozenset(
    {
        EndpointStatus.IN_SERVICE,
        EndpointStatus.UPDATING,
        EndpointStatus.SCALED_TO_ZERO,
        EndpointStatus.UPDATE_ROLLBACK_FAILED,
    }
)
_PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR4nGNgAAIAAAUAAXpeqz8AAAAASUVORK5CYII="
)


def examine(cloud: GenerateOnCloud, url: str, *, now: Callable[[], datetime]) -> Iterator[Row]:
    """The rows, one after the other; the first that stops everything is the last."""
    try:
        health = cloud.health()
        answer = cloud.request("GET", "/v1/health")
    except CloudError as error:
        yield Row(
            "service", Verdict.STOP, str(error), "check the URL and the network; `make local` starts a local cloud"
        )
        return
    yield _version(health, url)
    yield _clock(answer, now())
    try:
        me = cloud.me.get()
    except CloudError as error:
        yield _no_key(error, url)
        return
    yield _key(me, now())
    for name, check in _CHECKS.items():
        try:
            yield check(cloud, me)
        except (CloudError, httpx.HTTPError) as error:
            yield Row(name, Verdict.LOOK, f"could not be checked ({error})")


def _no_key(error: CloudError, url: str) -> Row:
    if isinstance(error, ProblemError) and error.problem.code is ProblemCode.UNAUTHORIZED:
        text = f"{url} does not know the key: it is wrong, revoked or expired"
        return Row("key", Verdict.STOP, text, "goc auth login, with a key from an administrator")
    return Row("key", Verdict.STOP, f"the service does not say whose key it is ({error})", "try again in a minute")


def _version(health: Health, url: str) -> Row:
    text = f"{url} answers with version {health.version}"
    if health.contract_version != CONTRACT_VERSION:
        older = "goc" if health.contract_version > CONTRACT_VERSION else "the service"
        mend = f"update {older} (contract {CONTRACT_VERSION} here, {health.contract_version} there)"
        return Row("service", Verdict.LOOK, f"{text}, this goc is {__version__}", mend)
    return Row("service", Verdict.OK, text)


def _clock(answer: httpx.Response, now: datetime) -> Row:
    try:
        # A proxy may have added its own.
        ahead = now - parsedate_to_datetime(answer.headers.get_list("date")[0])
    except (IndexError, TypeError, ValueError):
        return Row("clock", Verdict.LOOK, "could not be checked (the service says no time)")
    if abs(ahead) > SKEW:
        side = "ahead of" if ahead > timedelta() else "behind"
        text = f"this machine's clock is {_long(abs(ahead))} {side} the service's"
        return Row("clock", Verdict.LOOK, text, "set it: `sudo timedatectl set-ntp true` on Linux")
    return Row("clock", Verdict.OK, "as the service's")


def _key(me: MeView, now: datetime) -> Row:
    text = f"{me.user}, role {me.role}"
    if Permission.INFERENCE_CREATE not in me.permissions:
        mend = "ask an administrator for a key or a role with inference:create"
        return Row("key", Verdict.STOP, f"{text}; the key may not send jobs", mend)
    if me.key_expires_at is not None and me.key_expires_at - now < SOON:
        return Row("key", Verdict.LOOK, f"{text}; the key ends in {_long(me.key_expires_at - now)}", "goc auth login")
    return Row("key", Verdict.OK, text)


def _endpoint(cloud: GenerateOnCloud, me: MeView) -> Row:
    """Jobs that name no endpoint go to the user's default, or else to any that takes them."""
    found = [each for each in cloud.endpoints.list() if me.default_endpoint in (None, each.name)]
    if not found:
        wanted = (
            f"there is no endpoint {me.default_endpoint}" if me.default_endpoint else "there is no endpoint for you"
        )
        return Row("endpoint", Verdict.STOP, wanted, "make deploy, or `goc endpoints default` chooses another")
    for one in found:
        if one.status in _TAKES_JOBS:
            return Row("endpoint", Verdict.OK, f"{one.name} is {one.status}{_expectation(one)}")
    one = found[0]
    text = f"{one.name} is {one.status}" + (f": {one.failure_reason}" if one.failure_reason else "")
    if one.status is EndpointStatus.CREATING:
        return Row("endpoint", Verdict.LOOK, text, "wait: it takes about ten minutes")
    return Row("endpoint", Verdict.STOP, text, "make deploy makes a new one; docs/runbook.md has the usual reasons")


def _expectation(endpoint: EndpointView) -> str:
    if endpoint.status is EndpointStatus.SCALED_TO_ZERO:
        return ": the next job starts an instance, which takes about ten minutes on AWS"
    return f" with {endpoint.instance_count} running" if endpoint.instance_count else ""


def _checkpoint(cloud: GenerateOnCloud, _me: MeView) -> Row:
    page = cloud.assets.page(asset_type=AssetType.CHECKPOINT.value)
    active = [asset.name for asset in page.assets if asset.status is AssetStatus.ACTIVE]
    if not active:
        unfinished = f"; {len(page.assets)} are not active" if page.assets else ""
        text = f"there is no checkpoint to draw with{unfinished}"
        return Row("checkpoint", Verdict.STOP, text, "goc assets upload FILE --type checkpoint")
    more = f" and {len(active) - 1} more" if len(active) > 1 else ""
    return Row("checkpoint", Verdict.OK, f"{active[0]}{more}")


def _quotas(cloud: GenerateOnCloud, me: MeView) -> Row:
    """What is left today; days are in UTC."""
    quotas = me.quotas
    if quotas.jobs_per_day is quotas.concurrent_jobs is quotas.asset_bytes is quotas.megapixel_steps_per_day is None:
        return Row("quotas", Verdict.OK, "no limits")
    usage = cloud.usage.month()
    open_jobs = sum(job.status not in TERMINAL for job in cloud.jobs.page(limit=100).jobs)
    today = sum(day.jobs for day in usage.days if day.day == datetime.now(UTC).date()) + open_jobs
    used = {
        "jobs today": (today, quotas.jobs_per_day, "wait until 00:00 UTC, or ask for a larger quota"),
        "open jobs": (open_jobs, quotas.concurrent_jobs, "wait for them, or `goc jobs cancel`"),
        "bytes of files": (usage.asset_bytes or 0, quotas.asset_bytes, "delete files: `goc assets rm`"),
    }
    limited = {name: (count, most, mend) for name, (count, most, mend) in used.items() if most is not None}
    text = ", ".join(f"{count} of {most} {name}" for name, (count, most, _) in limited.items())
    full = next((name for name, (count, most, _) in limited.items() if count >= most), None)
    if full is None:
        return Row("quotas", Verdict.OK, text or "none of them counts jobs or bytes")
    blocked = full != "bytes of files"
    return Row("quotas", Verdict.STOP if blocked else Verdict.LOOK, f"{text}; {full} are used up", limited[full][2])


def _storage(cloud: GenerateOnCloud, _me: MeView) -> Row:
    try:
        cloud.jobs.upload(_PIXEL)
    except ProblemError:
        raise
    except (CloudError, httpx.HTTPError) as error:
        mend = "let this machine reach the bucket's host by https: firewall, proxy, VPN"
        return Row("storage", Verdict.STOP, f"a signed URL does not work from here ({error})", mend)
    return Row("storage", Verdict.OK, "takes uploads by signed URLs")


_CHECKS: Final[dict[str, Callable[[GenerateOnCloud, MeView], Row]]] = {
    "endpoint": _endpoint,
    "checkpoint": _checkpoint,
    "quotas": _quotas,
    "storage": _storage,
}


def _long(span: timedelta) -> str:
    """`3 days`, `12 minutes`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
