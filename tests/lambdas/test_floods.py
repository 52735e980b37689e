"""Nobody's waiting or flood of requests takes the service from the others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.client.jobs import Jobs
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import COUNTED_AT_ONCE, AccessStore, key_row_id
from lambdas.access.wait_slots import TRIES, WaitSlots
from lambdas.api.handler import make_resolver
from lambdas.aws.rows import to_item
from lambdas.problems import ProblemError
from tests.client.small_service import job
from tests.lambdas.cloud import KEYS, SETTINGS, START, Cloud


def with_settings(cloud: Cloud, **changed: int) -> None:
    services = replace(cloud.services, settings=SETTINGS.model_copy(update=changed))
    cloud.services = services
    cloud.resolver = make_resolver(services)


def slots(cloud: Cloud, number: int) -> WaitSlots:
    return WaitSlots(cloud.services.access_table, number)


def waiting(cloud: Cloud, job_id: str, user: str = "alice") -> Any:
    return cloud.ask("GET", f"/v1/jobs/{job_id}", query={"wait": "25"}, user=user)


def test_a_request_beyond_those_that_may_wait_is_answered_at_once_and_told_when_to_come_again(cloud: Cloud) -> None:
    """Two may wait; each user has one of these."""
    with_settings(cloud, WAITING_REQUESTS=2)
    queued = cloud.job()
    second: list[Any] = []
    # While the first request waits, another one of the same user comes.
    cloud.clock.during_sleep.append(lambda: second.append((cloud.clock.now, waiting(cloud, queued.job_id))))

    first = waiting(cloud, queued.job_id)

    ((came, answer),) = second
    assert (answer.status, answer.json["status"], answer.headers["Retry-After"]) == (200, "queued", "5")
    assert cloud.clock.now - came > timedelta(seconds=20), "the first one waited on"
    assert "Retry-After" not in first.headers


def test_a_slot_is_given_back_when_the_wait_ends(cloud: Cloud) -> None:
    with_settings(cloud, WAITING_REQUESTS=2)
    queued = cloud.job()

    answers = [waiting(cloud, queued.job_id) for _ in range(3)]

    assert ["Retry-After" in answer.headers for answer in answers] == [False] * 3


def test_where_nothing_may_wait_every_wait_is_answered_at_once(cloud: Cloud) -> None:
    with_settings(cloud, WAITING_REQUESTS=0)
    queued = cloud.job()

    assert waiting(cloud, queued.job_id).headers["Retry-After"] == "5"
    assert cloud.clock.slept == []


def test_one_user_can_hold_half_of_the_slots_and_no_more(cloud: Cloud) -> None:
    ten = slots(cloud, 10)

    taken = [ten.take("alice", seconds=20, now=START) for _ in range(60)]
    of_others = [ten.take(f"user-{number}", seconds=20, now=START) for number in range(60)]

    held = {slot.number for slot in taken if slot is not None}
    assert len(held) == len([slot for slot in taken if slot is not None]) == 5
    assert {slot.number for slot in of_others if slot is not None} == set(range(10)) - held


def test_a_slot_whose_holder_died_is_free_after_its_time(cloud: Cloud) -> None:
    one = slots(cloud, 1)

    assert one.take("alice", seconds=20, now=START) is not None
    assert one.take("bob", seconds=20, now=START + timedelta(seconds=24)) is None
    assert one.take("bob", seconds=20, now=START + timedelta(seconds=27)) is not None


def test_a_holder_whose_time_is_over_takes_nothing_from_the_next(cloud: Cloud) -> None:
    one = slots(cloud, 1)
    late = one.take("alice", seconds=20, now=START)
    after = START + timedelta(minutes=1)
    assert late is not None
    assert one.take("bob", seconds=20, now=after) is not None

    one.give_back(late)

    assert one.take("alice", seconds=20, now=after) is None


def test_a_full_house_costs_few_calls(cloud: Cloud) -> None:
    many = slots(cloud, 100)
    for number in range(100):
        cloud.dynamodb.put_item(
            TableName="access",
            Item=to_item({"access_id": f"wait#{number}", "held_until": int(START.timestamp()) + 99, "holder": "x"}),
        )
    cloud.counted()

    assert many.take("alice", seconds=20, now=START) is None
    assert cloud.counted() == TRIES


def store(cloud: Cloud, most: int) -> AccessStore:
    """One execution's."""
    return AccessStore(
        cloud.dynamodb, "access", requests_per_minute=most, monotonic=cloud.clock.monotonic, now=cloud.clock.moment
    )


def accepted(executions: list[AccessStore], user: str, requests: int) -> int:
    refusals = []
    for number in range(requests):
        try:
            executions[number % len(executions)].caller_with(KEYS[user])
        except ProblemError as error:
            refusals.append(error)
    assert {error.code for error in refusals} <= {ProblemCode.TOO_MANY_REQUESTS}
    assert all(0 < (error.retry_after or 0) <= 60 for error in refusals)
    return requests - len(refusals)


def test_a_key_that_floods_is_refused_until_the_next_minute_and_other_keys_are_not(cloud: Cloud) -> None:
    """Over three executions at once."""
    executions = [store(cloud, 100) for _ in range(3)]

    flood = accepted(executions, "alice", 1000)
    other = accepted(executions, "bob", 50)
    cloud.clock.now += timedelta(minutes=1)
    later = accepted(executions, "alice", 50)

    assert 100 <= flood <= 100 + 3 * COUNTED_AT_ONCE
    assert (other, later) == (50, 50)


def test_counting_costs_a_call_for_twenty_requests(cloud: Cloud) -> None:
    one = store(cloud, 10**6)
    one.caller_with(KEYS["alice"])
    cloud.counted()

    accepted([one], "alice", 10 * COUNTED_AT_ONCE)

    assert cloud.counted() == 10
    row = cloud.dynamodb.get_item(
        TableName="access",
        Key=to_item({"access_id": f"rate#{key_row_id(KEYS['alice'])[4:]}#{int(START.timestamp()) // 60}"}),
    )["Item"]
    assert int(row["expires_at"]["N"]) > START.timestamp()


def test_a_flood_is_answered_as_a_problem_with_the_time_to_wait(cloud: Cloud) -> None:
    with_settings(cloud, KEY_REQUESTS_PER_MINUTE=1)

    answers = [cloud.ask("GET", "/v1/me") for _ in range(COUNTED_AT_ONCE)]

    answers[-1].problem(429, "too_many_requests")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[0].status == 200


@pytest.mark.parametrize("pause", ["5", "", "soon"])
def test_the_client_pauses_when_it_is_told_to(pause: str) -> None:
    answers = [("queued", pause), ("succeeded", "")]

    def answer(_: httpx.Request) -> httpx.Response:
        status, after = answers.pop(0)
        return httpx.Response(200, json=job(status), headers={"retry-after": after} if after else {})

    slept: list[float] = []
    http = httpx.Client(transport=httpx.MockTransport(answer))
    jobs = Jobs(Connection("http://cloud.test", "key", http=http), sleep=slept.append)

    assert [view.status for view in jobs.watch("j1")] == ["queued", "succeeded"]
    assert slept == ([5.0] if pause == "5" else [])
