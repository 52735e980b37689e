"""docs/grants.md: each grant with the scenario that fails without it, or the reason why none does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.grants.deployed import Deployed, Grant
from checks.grants.removal import PATIENCE_SECONDS, Trial, Verdict
from checks.grants.scenarios.table import scenario_for

PAGE = Path(__file__).parents[2] / "docs" / "grants.md"
DEPLOYMENT = "deploy_the_stack"
"""The scenario for what runs while the stack is deployed."""
REASONS: tuple[tuple[str, str], ...] = (
    (r"Container ecr:.*", "SageMaker pulls the image with it; the local cloud pulls none"),
    (r"Container (logs|cloudwatch):.*", "for SageMaker's agent, which the local cloud does not have"),
    (r"Container s3:ListBucket .*JobsBucket.*", "for SageMaker's own reads, which here only get objects"),
    (r"Webhooks sqs:ChangeMessageVisibility .*", "delays retries of a delivery; here a delivery is given up at once"),
    (r".* sqs:(ChangeMessageVisibility|GetQueueUrl) .*", "comes with CDK's event source of a queue"),
    (
        r"JobEvents sqs:SendMessage EventsDeadLetters",
        "for Lambda, which sends dead letters; the emulator does not ask",
    ),
    (
        r"EndpointKeeper dynamodb:BatchGetItem .*",
        "looks for idle instances; without it one runs on, which shows after a quarter of an hour",
    ),
    (r".* xray:.*", "for tracing, which the local cloud does not have"),
)
"""Pattern of `role action resource` → why no scenario needs the grant here."""
SAID: Mapping[Verdict, str] = {
    Verdict.FAILED: "fails",
    Verdict.STUCK: "fails, waiting in vain",
    Verdict.PASSED: "is refused it and passes anyway",
    Verdict.NOT_REFUSED: "used it when it was recorded, but not when it was removed",
}
NOT_TAKEN = "uses it; not removed"
_HEAD = """# Grants
For each action that a role of the template may perform, this page lists the scenario that fails without it, or why none
does. `make grants` writes it (half an hour). It runs all scenarios (`checks/grants/scenarios/`) on a local cloud
that enforces the roles' policies, and records each call. For each grant it finds the first scenario with a call that
would be refused without it, takes that one grant away from the deployed role, runs the scenario and restores the grant.
"Fails" counts only if the record shows a refusal of exactly this action to exactly this role. A scenario that waits in
vain is stopped {PATIENCE} seconds and its usual time after the refusal, and the page shows the line at which it stood.
After its grants each scenario passes again with all of them. Schedules are stopped meanwhile; scenarios call the
scheduled functions themselves. Imports come from a site on this machine, which the function's guard accepts
(`checks/grants/import_handler.py`). `tests/e2e/test_grants.py` compares the list with the deployed roles and takes some
grants away again in every run.

| role | action | resource | without it |
|---|---|---|---|
""".replace("{PATIENCE}", f"{PATIENCE_SECONDS:.0f}")


@dataclass(frozen=True)
class Row:
    role: str
    action: str
    resource: str
    why: str
    """A scenario in backticks and its result, or a reason."""

    @property
    def scenario(self) -> str | None:
        return self.why.split("`")[1] if self.why.startswith("`") else None


def row(deployed: Deployed, grant: Grant, scenarios: Sequence[str], trial: Trial | None) -> Row:
    """The row of a grant.

    Raises:
        LookupError: there is neither a scenario that needs it nor a reason.
    """
    resource = deployed.label(grant.resource)
    subject = f"{grant.role} {grant.action} {resource}"
    known = next((reason for pattern, reason in REASONS if re.fullmatch(pattern, subject)), None)
    if known and (trial.verdict is Verdict.PASSED if trial else not scenarios):
        return Row(grant.role, grant.action, resource, known)
    if trial is not None:
        place = f" at `{trial.said}`" if trial.verdict is Verdict.STUCK and trial.said else ""
        return Row(grant.role, grant.action, resource, f"`{trial.scenario}` {SAID[trial.verdict]}{place}")
    if scenarios:
        scenario = scenario_for(subject, scenarios) or DEPLOYMENT
        return Row(grant.role, grant.action, resource, f"`{scenario}` {NOT_TAKEN}")
    raise LookupError(subject)


def write(rows: Sequence[Row]) -> str:
    """The page's text."""
    lines = [f"| {one.role} | `{one.action}` | `{one.resource}` | {one.why} |\n" for one in rows]
    return _HEAD + "".join(lines)


def read() -> list[Row]:
    """The rows of the current page."""
    cells = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    return [
        Row(role.strip(), action.strip("`"), resource.strip("`"), why.strip()) for role, action, resource, why in cells
    ]


def told() -> list[Trial]:
    """The trials on the current page."""
    trials = []
    for one in read():
        _, scenario, said, *place = one.why.split("`") if one.scenario else ("", "", "")
        for verdict, words in SAID.items():
            if said.strip().removesuffix(" at") == words:
                line = place[0] if place else ""
                trials.append(Trial(one.role, one.action, one.resource, scenario, verdict, 0.0, line))
    return trials


def made(
    deployed: Deployed, table: Mapping[Grant, Sequence[str]], trials: Mapping[tuple[str, str, str], Trial]
) -> tuple[list[Row], list[str]]:
    """All rows, and the grants without a row."""
    rows, without = [], []
    for grant, scenarios in table.items():
        try:
            trial = trials.get((grant.role, grant.action, deployed.label(grant.resource)))
            rows.append(row(deployed, grant, scenarios, trial))
        except LookupError as error:
            without.append(str(error.args[0]))
    return rows, without
