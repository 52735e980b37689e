"""Removes one grant from the running cloud, runs its scenario and reports the result."""

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

from checks.grants.deployed import Deployed, Grant, removed
from checks.grants.scenarios.endpoints import take_away_endpoints
from checks.grants.scenarios.visit import Scenario, Visit
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud

SCENARIOS_FOLDER = Path(__file__).parent / "scenarios"
PATIENCE_SECONDS = 10.0
"""How much longer than usual a scenario may run after a refused call."""
LONGEST_SECONDS = 180.0
STOP_SECONDS = 30.0
_FORK = multiprocessing.get_context("fork")


class Verdict(StrEnum):
    """The result of a scenario without a grant."""

    FAILED = "failed"
    STUCK = "stuck"
    """A call was refused and it waited in vain until it was stopped; `Trial.said` shows where."""
    PASSED = "passed"
    """A call was refused, but the scenario passed."""
    NOT_REFUSED = "not refused"
    """It passed or failed without a call that needs the grant."""


@dataclass(frozen=True)
class Trial:
    role: str
    action: str
    resource: str
    """Name of the resource on the page."""
    scenario: str
    verdict: Verdict
    seconds: float
    said: str = ""
    """The error that it failed with, or the line of the scenario at which it waited."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.role, self.action, self.resource

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def read_trials(path: Path) -> list[Trial]:
    """Trials of an earlier run; empty if the file does not exist."""
    lines = path.read_text().splitlines() if path.exists() else []
    documents = [json.loads(line) for line in lines]
    return [Trial(**{**document, "verdict": Verdict(document["verdict"])}) for document in documents]


def try_without(
    cloud: LocalCloud, deployed: Deployed, grant: Grant, scenario: Scenario, *, folder: Path, usual_seconds: float
) -> Trial:
    """Remove the grant from the running cloud, run the scenario in a separate process, and restore the grant."""
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
        take_away_endpoints(Visit(cloud, service, folder))
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
    """Size of the record so far in bytes."""
    return cloud.settings.requests_file.stat().st_size


def denied(cloud: LocalCloud, *, since: int) -> set[tuple[str, str]]:
    """Role names and actions that were refused after byte `since` of the record."""
    with cloud.settings.requests_file.open("rb") as file:
        file.seek(since)
        lines = [json.loads(line) for line in file.read().split(b"\n")[:-1]]
    return {(line["role"], line["action"]) for line in lines if not line["allowed"]}


class Run:
    """A scenario in a separate process, so that it can be stopped."""

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
        """Stop it if it is still waiting; `said` then shows where it waited."""
        if self.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGTERM)
            self._process.join(STOP_SECONDS)
        if self.is_alive():
            self._process.kill()
        self._process.join()

    def said(self) -> str:
        """The error that it failed with; empty if it passed."""
        try:
            return str(self._heard.recv()) if self._heard.poll() else ""
        except EOFError:
            return ""


def _play(cloud: LocalCloud, scenario: Scenario, folder: Path, telling: Connection[str, str]) -> None:
    """Run the scenario in its process and report its result, whatever it raises."""
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
    """A wait has lasted too long; not an Exception, so that no `except Exception` catches it."""


def _give_up(*_: object) -> None:
    raise GivenUpError


def _waiting_at(trace: TracebackType | None) -> str:
    """The scenario's own line, the outermost one in the folder of scenarios."""
    lines = [frame.line for frame in traceback.extract_tb(trace) if SCENARIOS_FOLDER in Path(frame.filename).parents]
    return next(iter(lines), None) or ""
