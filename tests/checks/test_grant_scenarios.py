"""A grant is tried with a scenario that fails without it, and not with one that goes on after a refusal."""

import pytest

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
