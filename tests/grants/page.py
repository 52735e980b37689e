"""docs/grants.md: each grant with the scenario that fails without it, or the reason why none does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.grants.deployed import Deployed, Grant

PAGE = Path(__file__).parents[2] / "docs" / "grants.md"
DEPLOYMENT = "deploy_the_stack"
"""The scenario of what runs while the stack is deployed."""
REASONS: tuple[tuple[str, str], ...] = (
    (r"Api iam:PassRole .*", "the local cloud lets SageMaker have any role"),
    (r"Api sagemaker:AddTags .*", "asked for by AWS where what is made has tags; not so here"),
    (r"Api sagemaker:CreateEndpoint endpoint-config/.*", "asked for by AWS beside the endpoint's own; not so here"),
    (
        r"EndpointKeeper sagemaker:(UpdateEndpointWeightsAndCapacities|DescribeEndpointConfig) .*",
        "AWS asks it of who registers an endpoint for scaling; not so here",
    ),
    (r"Container ecr:.*", "SageMaker pulls the image with it; the local cloud pulls none"),
    (r"Container (logs|cloudwatch):.*", "for SageMaker's agent, which the local cloud has not"),
    (r".* s3:ListBucket .*", "on AWS a missing object answers 404 with it and 403 without; not so here"),
    (r"AssetImport .*|Api lambda:InvokeFunction .*AssetImport.*", "an import needs a public https address"),
    (r"Webhooks sqs:ChangeMessageVisibility .*", "a delivery tried again later; here it is given up at once"),
    (r".* sqs:(ChangeMessageVisibility|GetQueueUrl) .*", "comes with CDK's event source of a queue"),
    (r"(JobEvents|Sweeper) sagemaker:DescribeEndpoint .*", "comes with sending; not tried"),
    (
        r"AssetInspection s3:AbortMultipartUpload .*",
        "the sweep breaks off uploads older than seven days; no scenario waits so long",
    ),
    (r"(Api|AssetInspection) (dynamodb|s3):.*", "comes with the rows the asset functions share; not tried"),
    (r"JobEvents s3:GetObject StorageJobsBucket/jobs/\*", "comes with the row it shares with the sweeper; not tried"),
    (r"Sweeper dynamodb:GetItem .*", "not tried"),
)
"""Pattern of `role action resource` → why no scenario needs the grant here."""
_HEAD = """# Grants
Every action a role of the template is allowed, resource by resource, and a scenario that is refused something without
it (`tests/grants/scenarios.py`). Made by `make grants`: it runs all scenarios on a local cloud that enforces the roles'
policies and records each call, then evaluates the calls again without each grant in turn. `tests/e2e/test_grants.py`
holds the list against the deployed roles and takes four grants away for real. What functions do by the clock
(EndpointKeeper, Sweeper) counts for the scenario that runs then, so these rows may name another one the next time.
"Not tried" means that nobody has shown the grant to be needed.

| role | action | resource | refused something without it |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    role: str
    action: str
    resource: str
    why: str
    """A scenario in backticks, or a reason."""


def row(deployed: Deployed, grant: Grant, scenarios: Sequence[str]) -> Row:
    """The row of a grant.

    Raises:
        LookupError: no scenario needs it and there is no reason either.
    """
    resource = deployed.label(grant.resource)
    if scenarios:
        return Row(grant.role, grant.action, resource, f"`{scenarios[0]}`")
    subject = f"{grant.role} {grant.action} {resource}"
    for pattern, reason in REASONS:
        if re.fullmatch(pattern, subject):
            return Row(grant.role, grant.action, resource, reason)
    raise LookupError(subject)


def write(rows: Sequence[Row]) -> str:
    """The page's text."""
    lines = [f"| {one.role} | `{one.action}` | `{one.resource}` | {one.why} |\n" for one in rows]
    return _HEAD + "".join(lines)


def read() -> list[Row]:
    """The rows of the page as it is."""
    cells = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    return [
        Row(role.strip(), action.strip("`"), resource.strip("`"), why.strip()) for role, action, resource, why in cells
    ]


def made(deployed: Deployed, table: Mapping[Grant, Sequence[str]]) -> tuple[list[Row], list[str]]:
    """All rows, and the grants that have none."""
    rows, without = [], []
    for grant, scenarios in table.items():
        try:
            rows.append(row(deployed, grant, scenarios))
        except LookupError as error:
            without.append(str(error.args[0]))
    return rows, without
