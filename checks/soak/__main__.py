"""`make soak`: runs jobs of several users while parts of the local cloud die and notifications get lost, then audits.

Everything but the faults is real: the deployed template, the API over HTTP, the container with the demo checkpoint.
Exit status: 0 if every job finished correctly exactly once, 1 with a list of faults, 130 after Ctrl-C.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from checks.soak.audit import SHOWN, Findings, audit
from checks.soak.clients import AHEAD, Log, SoakClient, SoakError
from checks.soak.deliveries import delivering, take_over
from checks.soak.jobs import SoakJob
from checks.soak.receivers import Receivers
from checks.soak.trouble import Trouble, megabytes
from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from local_cloud.cloud import LocalCloud
from local_cloud.faults import NotificationFaults
from local_cloud.preflight import CannotStartError
from local_cloud.unkindness import Unkindness
from tests.fetch.local_sites import open_sites

FAULTS = {"lost": 0.1, "doubled": 0.1, "delayed": 0.2, "delay_seconds": 10.0}
DOUBLED_EVENTS = 0.1
"""Share of the events that come twice, from SageMaker's notifications to the sweeper's schedule."""
INDEX_LAG_SECONDS = 0.5
"""How much later than its table an index shows a write, at most."""
FAULT_KINDS = ("lost", "doubled", "delayed")
SETTLE_SECONDS = 180.0
"""How long pending work may take after the last job has finished: two sweeps."""
SETTLE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The options of a soak."""

    jobs: int
    clients: int
    kill_every: float
    minutes: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a soak."""

    plan: Plan
    findings: Findings
    log: Log
    trouble: Trouble
    ends: Counter[str]
    webhooks: int
    """Number of jobs with a webhook."""
    posts: int
    """Number of posts to their receivers, including repeats."""
    seconds: float
    megabytes: Sequence[float]
    """Memory of the local cloud's process: when ready, before it was killed, when ready again, and at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m checks.soak", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument(
        "--kill-every", type=float, default=20.0, metavar="SECONDS", help="kill the container this often"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="give up after this time")
    parser.add_argument("--seed", type=int, default=1, help="seed of the notifications' faults")
    plan = Plan(**vars(parser.parse_args(arguments)))
    if plan.jobs < plan.clients or plan.clients < 1 or plan.kill_every <= 0 or plan.minutes <= 0:
        parser.error(f"received {plan}; allowed: at least one client, a job for each, positive times")
    # `make` passes SIGTERM on; stopping in order needs the same way out as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="goc-soak-"))
    # Hides what the functions' code logs while the cloud is down.
    logging.basicConfig(filename=folder / "webhooks.log")
    try:
        report = _soak(plan, folder, console)
    except (CannotStartError, CloudError, SoakError) as error:
        console.print(f"soak: {error}; its logs: {folder}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    _print(report, console)
    if report.findings.faults:
        console.print(f"the cloud's data and logs are kept in {folder}", soft_wrap=True)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _soak(plan: Plan, folder: Path, console: Console) -> Report:
    cloud = LocalCloud(
        folder,
        notification_faults=NotificationFaults(seed=plan.seed, **FAULTS),
        unkindness=Unkindness(seed=plan.seed, doubled_events=DOUBLED_EVENTS, index_lag_seconds=INDEX_LAG_SECONDS),
    )
    began, stopped, log = time.monotonic(), threading.Event(), Log()
    jobs = [SoakJob(number) for number in range(plan.jobs)]
    with cloud, open_sites(folder) as sites, delivering(take_over(cloud, sites.fetch)):
        ready = megabytes(cloud)
        receivers = Receivers(sites, jobs)
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            service.assets.upload(TRAINED, "checkpoint")
        clients = []
        for number in range(plan.clients):
            key = _make_user(cloud, f"soaker-{number}")
            client = SoakClient(
                cloud.api_url,
                f"soaker-{number}",
                key,
                jobs[number :: plan.clients],
                secret=_make_secret(cloud, key),
                webhook=receivers.webhook,
                checkpoint=TRAINED.name,
                log=log,
                stopped=stopped,
            )
            clients.append(client)
        trouble = Trouble(cloud, kill_every=plan.kill_every, cloud_dies_when=lambda: 2 * log.ended >= plan.jobs)
        with ThreadPoolExecutor(plan.clients + 1) as threads:
            try:
                running = [threads.submit(client.run) for client in clients]
                killing = threads.submit(trouble.run, stopped)
                _follow(running, killing, log, plan, console)
            finally:
                stopped.set()
        for done in (*running, killing):
            done.result()
        findings = _settled(cloud, clients, receivers)
        return Report(
            plan=plan,
            findings=findings,
            log=log,
            trouble=trouble,
            ends=Counter(str(end) for client in clients for one in client.seen for end in one.ends),
            webhooks=sum(1 for job in jobs if job.has_webhook),
            posts=len(receivers.told()),
            seconds=time.monotonic() - began,
            megabytes=(ready, *trouble.megabytes, megabytes(cloud)),
        )


def _make_user(cloud: LocalCloud, name: str) -> str:
    """Make a user with quotas, so that places are counted; returns its key."""
    headers = {"x-api-key": cloud.admin_key}
    user = {"name": name, "role": "artist", "quotas": {"concurrent_jobs": AHEAD + 1, "jobs_per_day": 10**6}}
    httpx.post(f"{cloud.api_url}/v1/users", json=user, headers=headers, timeout=60).raise_for_status()
    made = httpx.post(f"{cloud.api_url}/v1/keys", json={"user": name}, headers=headers, timeout=60).raise_for_status()
    return str(made.json()["key"])


def _make_secret(cloud: LocalCloud, key: str) -> str:
    """Make the secret that signs the user's webhooks."""
    url = f"{cloud.api_url}/v1/me/webhook-secret"
    made = httpx.post(url, json={}, headers={"x-api-key": key}, timeout=60).raise_for_status()
    return str(made.json()["secret"])


def _follow(running: list[Future[None]], killing: Future[None], log: Log, plan: Plan, console: Console) -> None:
    """Wait until all clients are done, a client or the trouble fails, or the time is up."""
    began, told = time.monotonic(), 0
    deadline = began + plan.minutes * 60
    while not all(one.done() for one in running):
        done, _ = wait([*running, killing], timeout=1, return_when=FIRST_EXCEPTION)
        if any(one.exception() is not None for one in done) or time.monotonic() > deadline:
            return
        if log.ended >= told + max(1, plan.jobs // 20):
            told = log.ended
            rate = told / (time.monotonic() - began)
            left = (plan.jobs - told) / rate / 60
            console.print(
                f"{told} of {plan.jobs} jobs have finished, {60 * rate:.0f} a minute; {left:.1f} minutes at that rate"
            )


def _settled(cloud: LocalCloud, clients: Sequence[SoakClient], receivers: Receivers) -> Findings:
    """The findings once no work is pending, or those that remain after SETTLE_SECONDS."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        findings = audit(cloud, clients, receivers)
        if not findings.faults or time.monotonic() > deadline:
            return findings
        time.sleep(SETTLE_PAUSE_SECONDS)


def _print(report: Report, console: Console) -> None:
    plan, log, trouble = report.plan, report.log, report.trouble
    rows = {
        "jobs sent by clients": f"{plan.jobs} by {plan.clients}",
        "… sent twice under one Idempotency-Key": log.replays,
        "requests repeated while the service was down or busy": log.repeats,
        "container killed, cloud killed": f"{trouble.container_kills} times, {trouble.cloud_kills} times",
        "notifications lost, doubled, delayed": ", ".join(f"{FAULTS[kind]:.0%}" for kind in FAULT_KINDS),
        "events of AWS that come twice": f"{DOUBLED_EVENTS:.0%}",
        "lag of indices": f"up to {INDEX_LAG_SECONDS:g} s",
        "ends": ", ".join(f"{count} {status}" for status, count in sorted(report.ends.items())),
        "jobs with a webhook, posts to their receivers": f"{report.webhooks}, {report.posts}",
        "minutes": f"{report.seconds / 60:.1f}",
        "local cloud's MB: ready, killed, ready again, at the end": ", ".join(f"{one:.0f}" for one in report.megabytes),
        "local cloud was back after, in seconds": f"{trouble.restart_seconds:.1f}",
    }
    for name, value in rows.items():
        console.print(f"{name:<60} {value}", soft_wrap=True)
    for kind, count in report.findings.counts.items():
        console.print(f"{kind:<60} {count}", soft_wrap=True)
        for example in report.findings.faults.get(kind, ())[:SHOWN]:
            console.print(f"    {example}", soft_wrap=True)
    console.print("FAULTY" if report.findings.faults else "every job finished correctly exactly once")


if __name__ == "__main__":
    sys.exit(main())
