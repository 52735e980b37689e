"""`make grants`: removes each grant in turn from a local cloud, runs its scenario and writes docs/grants.md."""

import argparse
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from checks.grants.deployed import Deployed, Grant, client, read_deployed
from checks.grants.import_handler import importing_from_here
from checks.grants.page import DEPLOYMENT, PAGE, made, told, write
from checks.grants.recording import Recorder, needed_by
from checks.grants.removal import Run, Trial, Verdict, read_trials, try_without
from checks.grants.scenarios.table import SCENARIOS, scenario_for
from checks.grants.scenarios.visit import Scenario
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.jobs import TERMINAL
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND
from tests.e2e.conftest import CHECKPOINT
from tests.tiny_checkpoint import write_tiny_checkpoint

LOG = Path("build") / "grants.jsonl"


def main() -> int:
    """Returns 0, or 1 if a grant has neither a scenario nor a reason, or a scenario fails with all grants."""
    parser = argparse.ArgumentParser(prog="python -m checks.grants", description=__doc__)
    parser.add_argument(
        "--remove", default="all", metavar="ROLE", help="remove this role's grants, all or none (default: all)"
    )
    parser.add_argument(
        "--log", type=Path, default=LOG, help=f"file with a line for each grant that was tried (default: {LOG})"
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep the results in the log and try only the other grants"
    )
    only = "try only these again (pattern of 'role action resource') and keep the page's rows for the others"
    parser.add_argument("--only", metavar="PATTERN", help=only)
    parser.add_argument("--minutes", type=float, default=60, help="try no more grants after this time (default: 60)")
    options = parser.parse_args()
    until = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            LocalCloud(folder / "state", record_requests=True, unkindness=KIND) as cloud,
            contextlib.ExitStack() as imports,
        ):
            recorder = Recorder(cloud)
            recorder.keep(DEPLOYMENT, began=0)
            stop_the_clock(cloud)
            imports.enter_context(importing_from_here(cloud))
            with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
                service.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
            seconds = {scenario: play(cloud, recorder, scenario, folder) for scenario in SCENARIOS}
            deployed = read_deployed(cloud)
            table = needed_by(deployed, recorder.requests, region=cloud.settings.region)
            trials = read_trials(options.log) if options.resume else []
            if options.only:
                trials = [trial for trial in told() if not re.fullmatch(options.only, " ".join(trial.key))]
            trials += try_all(
                cloud,
                deployed,
                table,
                seconds,
                folder=folder,
                log=options.log,
                done=trials,
                role=options.remove,
                until=until,
            )
    rows, unexplained = made(deployed, table, {trial.key: trial for trial in trials})
    for grant in unexplained:
        print("grant without a scenario that needs it and without a reason:", grant, file=sys.stderr)
    if not unexplained:
        PAGE.write_text(write(sorted(rows, key=lambda one: (one.role, one.action, one.resource))))
    return int(bool(unexplained))


def stop_the_clock(cloud: LocalCloud) -> None:
    """Disable all schedules, so that scheduled functions run only in the scenarios that call them."""
    events = client(cloud, "events")
    for rule in events.list_rules()["Rules"]:
        if "ScheduleExpression" in rule:
            events.disable_rule(Name=rule["Name"])


def play(cloud: LocalCloud, recorder: Recorder, scenario: Scenario, folder: Path) -> float:
    """Run a scenario with all grants and record its calls; returns the seconds that it took.

    Raises:
        SystemExit: the scenario fails.
    """
    began = time.monotonic()
    with recorder.scenario(scenario.__name__):
        check(cloud, scenario, folder)
        seconds = time.monotonic() - began
    print(f"{scenario.__name__}: {len(recorder.requests[scenario.__name__])} calls ({seconds:.1f} s)", flush=True)
    return seconds


def check(cloud: LocalCloud, scenario: Scenario, folder: Path) -> None:
    """Run a scenario with all grants.

    Raises:
        SystemExit: the scenario fails.
    """
    run = Run(cloud, scenario, folder)
    run.wait()
    if said := run.said():
        sys.exit(f"{scenario.__name__} fails with all grants: {said}")


def try_all(
    cloud: LocalCloud,
    deployed: Deployed,
    table: Mapping[Grant, Sequence[str]],
    seconds: Mapping[Scenario, float],
    *,
    folder: Path,
    log: Path,
    done: Sequence[Trial],
    role: str,
    until: float,
) -> list[Trial]:
    """Try each grant with the first scenario that needs it, and after its grants run each scenario with all of them."""
    known = {trial.key for trial in done}
    log.parent.mkdir(parents=True, exist_ok=True)
    found = []
    with log.open("a" if done else "w", buffering=1) as file:
        for scenario in SCENARIOS:
            wanted = [
                grant
                for grant, names in table.items()
                if scenario_for(subject(deployed, grant), names) == scenario.__name__
                and role in ("all", grant.role)
                and (grant.role, grant.action, deployed.label(grant.resource)) not in known
            ]
            for grant in wanted:
                if time.monotonic() > until:
                    break
                trial = try_without(cloud, deployed, grant, scenario, folder=folder, usual_seconds=seconds[scenario])
                print(*trial.key, f"→ {scenario.__name__} {trial.verdict} ({trial.seconds} s) {trial.said}", flush=True)
                file.write(trial.line())
                found.append(trial)
                if trial.verdict is not Verdict.PASSED:
                    tidy(cloud)
            if wanted and time.monotonic() < until:
                check(cloud, scenario, folder)
    return found


def subject(deployed: Deployed, grant: Grant) -> str:
    return f"{grant.role} {grant.action} {deployed.label(grant.resource)}"


def tidy(cloud: LocalCloud) -> None:
    """Stop what a failed scenario left running."""
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        for job in service.jobs.page().jobs:
            if job.status not in TERMINAL:
                with contextlib.suppress(CloudError):  # it may just have finished
                    service.jobs.cancel(job.job_id)


if __name__ == "__main__":
    sys.exit(main())
