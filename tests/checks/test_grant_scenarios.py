"""A grant is tried with a scenario that fails without it, and not with one that goes on after a refusal."""

from typing import cast

import pytest

from checks.grants.deployed import Deployed, Grant
from checks.grants.page import row
from checks.grants.removal import Trial, Verdict
from checks.grants.scenarios.table import scenario_for


@pytest.mark.parametrize(
    ("subject", "needing", "chosen"),
    [
        (
            "Sweeper sqs:GetQueueAttributes EventsDeadLetters",
            ["write_the_log_of_Sweeper", "count_dead_letters"],
            "count_dead_letters",
        ),
        ("FirstKey ssm:GetParameter key", ["write_the_log_of_FirstKey", "make_the_first_key"], "make_the_first_key"),
        (
            "Sweeper logs:PutLogEvents group",
            ["count_dead_letters", "write_the_log_of_Sweeper"],
            "write_the_log_of_Sweeper",
        ),
        ("Api dynamodb:GetItem table", ["run_a_job", "manage_people"], "manage_people"),
        (
            "EndpointKeeper dynamodb:BatchGetItem table",
            ["write_the_log_of_EndpointKeeper"],
            "write_the_log_of_EndpointKeeper",
        ),
        ("Api s3:Nothing bucket", [], None),
    ],
)
def test_a_scenario_that_only_waits_for_a_log_is_the_last_choice(
    subject: str, needing: list[str], chosen: str | None
) -> None:
    assert scenario_for(subject, needing) == chosen


class Labels:
    def label(self, resource: str) -> str:
        return resource


@pytest.mark.parametrize(
    ("verdict", "why"),
    [(Verdict.PASSED, "looks for idle instances"), (Verdict.FAILED, "`write_the_log_of_EndpointKeeper` fails")],
)
def test_the_page_has_the_reason_where_a_scenario_passes_without_the_grant(verdict: Verdict, why: str) -> None:
    grant = Grant(role="EndpointKeeper", action="dynamodb:BatchGetItem", resource="table")
    scenario = "write_the_log_of_EndpointKeeper"
    trial = Trial(grant.role, grant.action, grant.resource, scenario, verdict, 1.0, "")

    assert row(cast(Deployed, Labels()), grant, [scenario], trial).why.startswith(why)
