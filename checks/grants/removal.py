"""One grant taken away for real: its scenario is run meanwhile, and what came of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from checks.grants import scenarios
from checks.grants.deployed import Deployed, Grant, removed
from checks.grants.scenarios import Scenario, Visit
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud

PATIENCE_SECONDS = 10.0
"""How much longer than it usually takes a scenario may go on after it was refused something."""
LONGEST_SECONDS = 180.0
STOP_SECONDS = 30.0
_FORK = multiprocessing.get_context("fork")


class Verdict(StrEnum):
    """What a scenario did without a grant."""

    FAILED = "failed"
    STUCK = "stuck"
    """It was refused something and waited in vain until it was given up; `Trial.said` has for what."""
    PASSED = "passed"
    """It was refused something, and nobody noticed."""
    NOT_REFUSED = "not refused"
    """It ended, well or not, without having asked for it."""


@dataclass(frozen=True)
class Trial:
    role: str
    action: str
    resource: str
    """As the page calls it."""
    scenario: str
    verdict: Verdict
    seconds: float
    said: str = ""
    """The error it failed with, or the line of the scenario it waited at."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.role, self.action, self.resource

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def read_trials(path: Path) -> list[Trial]:
    """Trials of an earlier run; none when there is no such file."""
    lines = path.read_text().splitlines() if path.exists() else []
    documents = [json.loads(line) for line in lines]
    return [Trial(**{**document, "verdict": Verdict(document["verdict"])}) for document in documents]


def try_without(
    cloud: LocalCloud, deployed: Deployed, grant: Grant, scenario: Scenario, *, folder: Path, usual_seconds: float
) -> Trial:
    """Take the grant from the running cloud, run the scenario in a process of its own, and give the grant back."""
    since, began = size_of(cloud), time.monotonic()
    role = deployed.role_names[grant.role]
    refused_at: float | None = None
    with removed(cloud, deployed, grant):
        run = Run(cloud, scenario, folder)
        while run.is_alive() and time.monotonic() - began < LONGEST_SECONDS:
            run.wait(0.1)
            if refused_at is None and (role, grant.action) in denied(cloud, since=since):
                refused_at = time.monotonic()
            if refused_at is not None and time.monotonic() - refused_at > PATIENCE_SECONDS + usual_seconds:
                break
        ended = not run.is_alive()
        run.stop()
        refused = (role, grant.action) in denied(cloud, since=since)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        scenarios.take_away_endpoints(Visit(cloud, service, folder))
    said = run.said()
    if not refused:
        verdict = Verdict.NOT_REFUSED
    elif not ended:
        verdict = Verdict.STUCK
    else:
        verdict = Verdict.FAILED if said else Verdict.PASSED
    seconds = round(time.monotonic() - began, 1)
    label = deployed.label(grant.resource)
    return Trial(grant.role, grant.action, label, scenario.__name__, verdict, seconds, said)


def size_of(cloud: LocalCloud) -> int:
    """Bytes of the record so far."""
    return cloud.settings.requests_file.stat().st_size


def denied(cloud: LocalCloud, *, since: int) -> set[tuple[str, str]]:
    """Role names and actions that were refused after the byte `since` of the record."""
    with cloud.settings.requests_file.open("rb") as file:
        file.seek(since)
        lines = [json.loads(line) for line in file.read().split(b"\n")[:-1]]
    return {(line["role"], line["action"]) for line in lines if not line["allowed"]}


class Run:
    """A scenario in a process of its own, so that it can be broken off."""

    def __init__(self, cloud: LocalCloud, scenario: Scenario, folder: Path) -> None:
        self._heard, telling = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_play, args=(cloud, scenario, folder, telling), daemon=True)
        self._process.start()
        telling.close()

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        self._process.join(seconds)

    def stop(self) -> None:
        """End its wait, if it has not ended; it says what it was waiting for."""
        if self.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGTERM)
            self._process.join(STOP_SECONDS)
        if self.is_alive():
            self._process.kill()
        self._process.join()

    def said(self) -> str:
        """The error it failed with, empty when it passed."""
        try:
            return str(self._heard.recv()) if self._heard.poll() else ""
        except EOFError:
            return ""


def _play(cloud: LocalCloud, scenario: Scenario, folder: Path, telling: Connection[str, str]) -> None:
    """What the process does; the outer edge of a scenario: whatever it raises is its result."""
    signal.signal(signal.SIGTERM, _give_up)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        try:
            scenario(Visit(cloud, service, folder))
        except GivenUpError as error:
            telling.send(_waiting_at(error.__traceback__))
            sys.exit(1)
        except Exception as error:  # noqa: BLE001 - an outer edge
            telling.send(f"{type(error).__name__}: {error}"[:300])
            sys.exit(1)


class GivenUpError(BaseException):
    """A wait has lasted too long; no `except Exception` on its way takes it for an answer."""


def _give_up(*_: object) -> None:
    raise GivenUpError


def _waiting_at(trace: TracebackType | None) -> str:
    """The scenario's own line, outermost of its module."""
    lines = [frame.line for frame in traceback.extract_tb(trace) if frame.filename == scenarios.__file__]
    return next(iter(lines), None) or ""
