"""Canceling jobs in batches: by id, all that wait, those of an endpoint, everyone's."""

from collections.abc import Mapping

import pytest

import lambdas.api.job_cancels
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.aws.rows import new_id
from tests.lambdas.cloud import Cloud


def cancel(cloud: Cloud, body: Mapping[str, object], user: str = "alice") -> tuple[set[str], dict[str, str], bool]:
    """Ids of the canceled ones, codes of the refused ones, and whether there are more."""
    answer = cloud.ask("POST", "/v1/jobs/cancel", body, user=user).ok()
    return set(answer["canceled"]), {one["job_id"]: one["code"] for one in answer["refused"]}, answer["more"]


def test_named_jobs_are_canceled_each_as_it_can_be(cloud: Cloud) -> None:
    waiting, running, ended, foreign = cloud.job().job_id, cloud.job().job_id, cloud.job(), cloud.job(user="bob").job_id
    cloud.run(running)
    assert cloud.job_transitions.finish(ended, JobStatus.FAILED, now=cloud.clock.now)
    unknown = new_id()

    asked = [waiting, running, ended.job_id, foreign, unknown, "x", waiting]
    canceled, refused, more = cancel(cloud, {"job_ids": asked})

    assert canceled == {waiting, running}
    assert refused == {
        ended.job_id: "job_state_conflict", foreign: "not_found", unknown: "not_found", "x": "not_found"
    }  # fmt: skip
    assert (cloud.status(waiting), cloud.row(running)["cancel_requested"], more) == ("canceled", True, False)
    assert cloud.status(foreign) == "queued"


def test_all_that_wait_are_canceled_but_those_to_keep_and_the_running_one(cloud: Cloud) -> None:
    ids = [cloud.job().job_id for _ in range(4)]
    made = cloud.job(status=JobStatus.CREATED).job_id
    foreign = cloud.job(user="bob").job_id
    cloud.run(ids[0])

    canceled, refused, _ = cancel(cloud, {"all_waiting": True, "keep": [ids[2]]})

    assert (canceled, refused) == ({ids[1], ids[3], made}, {})
    assert [cloud.status(job_id) for job_id in (ids[0], ids[2], foreign)] == ["running", "queued", "queued"]
    assert sum(cloud.load.of(["artists"]).values()) == 3


def test_waiting_jobs_of_one_endpoint_are_canceled_by_its_short_name(cloud: Cloud) -> None:
    here, there = cloud.job(endpoint="goc-main-calm").job_id, cloud.job().job_id

    assert cancel(cloud, {"all_waiting": True, "endpoint": "calm"})[0] == {here}
    assert cloud.status(there) == "queued"


def test_an_administrator_purges_everyones_waiting_jobs_and_nobody_else_does(cloud: Cloud) -> None:
    ids = {cloud.job(user=user).job_id for user in ("alice", "bob")}
    running = cloud.job(user="bob").job_id
    cloud.run(running)
    body = {"all_waiting": True, "everyone": True}

    cloud.ask("POST", "/v1/jobs/cancel", body).problem(403, "forbidden")
    assert {cloud.status(job_id) for job_id in ids} == {"queued"}

    assert cancel(cloud, body, user="root")[0] == ids
    assert cloud.status(running) == "running"


@pytest.mark.parametrize("everyone", [False, True])
def test_one_request_cancels_a_bounded_number_and_says_that_there_are_more(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, everyone: bool
) -> None:
    monkeypatch.setattr(lambdas.api.job_cancels, "MAX_CANCELED", 2)
    ids = {cloud.job().job_id for _ in range(4)}
    body = {"all_waiting": True, "everyone": everyone}

    first, _, more = cancel(cloud, body, user="root" if everyone else "alice")
    second, _, still = cancel(cloud, body, user="root" if everyone else "alice")

    assert (len(first), more, first | second, still) == (2, True, ids, False)


@pytest.mark.parametrize(
    "body",
    [{}, {"job_ids": ["a"], "all_waiting": True}, {"job_ids": []}, {"job_ids": ["a"], "everyone": True},
     {"job_ids": ["a"], "keep": ["b"]}, {"keep": ["a"]}, {"job_ids": ["a"] * 51}],
    ids=str,
)  # fmt: skip
def test_a_body_that_does_not_say_which_jobs_is_refused_and_cancels_nothing(
    cloud: Cloud, body: dict[str, object]
) -> None:
    job_id = cloud.job().job_id

    problem = cloud.ask("POST", "/v1/jobs/cancel", body).problem(422, "invalid_params")

    assert "allowed" in problem["errors"][0]["message"] or "at" in problem["errors"][0]["message"]
    assert cloud.status(job_id) == "queued"


def test_a_running_job_is_asked_to_skip_its_batch_each_time(cloud: Cloud) -> None:
    job_id = cloud.job().job_id
    cloud.run(job_id)

    views = [cloud.ask("POST", f"/v1/jobs/{job_id}/skip").ok() for _ in range(2)]

    assert cloud.row(job_id)["skips"] == 2
    assert [view["status"] for view in views] == ["running"] * 2


@pytest.mark.parametrize("status", ["queued", "succeeded", "canceled"])
def test_a_job_that_does_not_run_has_no_batch_to_skip(cloud: Cloud, status: str) -> None:
    job_id = cloud.job().job_id
    cloud.write(job_id, status=status)

    cloud.ask("POST", f"/v1/jobs/{job_id}/skip").problem(409, "job_state_conflict")

    assert "skips" not in cloud.row(job_id) or cloud.row(job_id)["skips"] == 0


def test_nobody_skips_in_the_job_of_another(cloud: Cloud) -> None:
    job_id = cloud.job().job_id
    cloud.run(job_id)

    cloud.ask("POST", f"/v1/jobs/{job_id}/skip", user="bob").problem(404, "not_found")
    cloud.ask("POST", f"/v1/jobs/{new_id()}/skip").problem(404, "not_found")
