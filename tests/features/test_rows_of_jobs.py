"""Rows 1 to 19 of the survey of 57 features: jobs, their ends, their order and what is known of them meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from generate_on_cloud.client.webhooks import is_genuine
from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import MAX_RETRIES, JobStatus
from generate_on_cloud.contract.webhooks import Webhook, sign
from lambdas.functions.job_events import MalformedError
from tests.lambdas.cloud import START, Cloud, completed, failed, notification, txt2img

SAMPLING = {"phase": "sampling", "step": 3, "steps": 12, "previews": 2}


def send(cloud: Cloud, user: str = "alice", **fields: object) -> dict[str, Any]:
    return dict(cloud.ask("POST", "/v1/jobs", txt2img() | fields, user=user).ok(201))


def get(cloud: Cloud, job_id: str) -> dict[str, Any]:
    return dict(cloud.ask("GET", f"/v1/jobs/{job_id}").ok())


def end(cloud: Cloud, job_id: str) -> None:
    cloud.events.handle(completed(job_id, cloud.put_result(job_id)))


def test_row_01_a_job_has_an_id_at_once_and_its_state_outlives_the_process(cloud: Cloud) -> None:
    job_id = send(cloud)["job_id"]

    another = Cloud(cloud.dynamodb, cloud.s3, cloud.endpoint, cloud.clock, cloud.calls)

    assert get(another, job_id)["status"] == "queued"


@pytest.mark.parametrize("code", [JobErrorCode.TIMED_OUT, JobErrorCode.BAD_IMAGE])
def test_row_02_an_end_says_what_it_was_and_a_run_over_its_limit_is_timed_out_and_not_run_again(
    cloud: Cloud, code: JobErrorCode
) -> None:
    job_id = send(cloud)["job_id"]
    cloud.run(job_id)

    cloud.events.handle(failed(job_id, cloud.put_failure(job_id, JobError.of(code, "why"))))

    view = get(cloud, job_id)
    assert (view["status"], view["error"]["code"]) == ("failed", code)
    assert len(cloud.endpoint.invoked) == 1


def test_row_03_queued_jobs_are_canceled_one_by_one_in_a_batch_and_all_at_once(cloud: Cloud) -> None:
    ids = [send(cloud)["job_id"] for _ in range(5)]

    one = cloud.ask("POST", f"/v1/jobs/{ids[0]}/cancel").ok()
    batch = cloud.ask("POST", "/v1/jobs/cancel", {"job_ids": ids[1:3]}).ok()
    purge = cloud.ask("POST", "/v1/jobs/cancel", {"all_waiting": True}).ok()

    assert one["status"] == "canceled"
    assert batch["canceled"] == ids[1:3]
    assert sorted(purge["canceled"]) == sorted(ids[3:])
    assert {cloud.status(job_id) for job_id in ids} == {"canceled"}


def test_row_04_a_running_job_is_told_to_stop_at_its_next_step(cloud: Cloud) -> None:
    job_id = send(cloud)["job_id"]
    cloud.run(job_id)

    view = cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()

    assert (view["status"], view["cancel_requested"]) == ("running", True)
    assert cloud.row(job_id)["cancel_requested"] is True


def test_row_05_progress_is_a_fraction_with_a_sentence_and_ends_at_one(cloud: Cloud) -> None:
    job_id = send(cloud)["job_id"]
    cloud.run(job_id)
    cloud.write(job_id, progress=SAMPLING)
    running = get(cloud, job_id)["progress"]
    end(cloud, job_id)
    (listed,) = cloud.ask("GET", "/v1/jobs").ok()["jobs"]

    assert (running["fraction"], running["message"]) == (0.25, "Drawing, step 3 of 12")
    assert (listed["progress"]["fraction"], listed["progress"]["message"]) == (1.0, "Done")


def test_row_06_a_running_job_shows_its_picture(cloud: Cloud) -> None:
    job_id = send(cloud, preview=True)["job_id"]
    cloud.run(job_id)
    cloud.write(job_id, progress=SAMPLING)

    view = get(cloud, job_id)

    assert view["progress"]["previews"] == 2
    assert "/output/preview.jpg" in view["preview_url"]


def test_row_07_a_waiting_job_knows_its_place_and_a_range_of_seconds_by_the_sizes_ahead(cloud: Cloud) -> None:
    cloud.endpoint.instances = 1
    for work in (10, 30):
        done = cloud.job(megapixel_steps=Decimal(work))
        cloud.run(done.job_id)
        started = cloud.jobs.get(done.job_id)
        assert started is not None
        assert started.started_at is not None
        ended = cloud.job_transitions.finish(
            started, JobStatus.SUCCEEDED, now=started.started_at + timedelta(seconds=work)
        )
        assert ended is not None
        cloud.outcomes.run_times.note(ended, starting=0.0)
        cloud.clock.now += timedelta(seconds=61)
    cloud.job(megapixel_steps=Decimal(40), user="bob")

    queue = get(cloud, cloud.job(megapixel_steps=Decimal(2)).job_id)["queue"]

    assert queue["ahead"] == 1
    assert queue["eta_seconds"] == pytest.approx(42, rel=0.05)
    assert queue["eta_low_seconds"] < queue["eta_seconds"] < queue["eta_high_seconds"]
    assert queue["start_seconds"] == 0


def test_row_08_who_waits_is_answered_at_every_step(cloud: Cloud) -> None:
    # There is no stream of events; API Gateway would end it after 29 s. The long poll tells the same.
    job_id = send(cloud)["job_id"]
    cloud.run(job_id)
    tag = cloud.ask("GET", f"/v1/jobs/{job_id}").headers["ETag"]
    cloud.clock.during_sleep.append(lambda: cloud.write(job_id, progress=SAMPLING))

    reply = cloud.ask("GET", f"/v1/jobs/{job_id}", query={"wait": "20"}, headers={"If-None-Match": tag})

    assert reply.ok()["progress"]["step"] == 3
    assert len(cloud.clock.slept) == 1


def test_row_09_a_webhook_is_queued_at_the_end_and_can_be_sent_again(cloud: Cloud) -> None:
    cloud.ask("POST", "/v1/me/webhook-secret").ok()
    job = cloud.job(webhook=Webhook(url="https://hooks.example.com/goc"))

    end(cloud, job.job_id)
    again = cloud.ask("POST", f"/v1/jobs/{job.job_id}/deliveries")

    assert again.status == 202
    assert cloud.queue.sent == [job.job_id] * 2


def test_row_10_a_receiver_checks_the_signature_as_standard_webhooks_says() -> None:
    secret, body = "whsec_" + "c2VjcmV0" * 4, b'{"type": "job.succeeded"}'
    moment = int(START.timestamp())
    signature = sign([secret], message_id="j", timestamp=moment, body=body)
    headers = {"webhook-id": "j", "webhook-timestamp": str(moment), "webhook-signature": signature}

    assert is_genuine(body, headers, secret, now=moment + 5)
    assert not is_genuine(body + b" ", headers, secret, now=moment + 5)
    assert not is_genuine(body, headers, secret, now=moment + 3600)


def test_row_11_a_request_sent_twice_under_one_key_is_one_job(cloud: Cloud) -> None:
    replies = [cloud.ask("POST", "/v1/jobs", txt2img(), headers={"Idempotency-Key": "k"}) for _ in range(2)]
    other = cloud.ask("POST", "/v1/jobs", txt2img(steps=3), headers={"Idempotency-Key": "k"})

    assert replies[0].json["job_id"] == replies[1].json["job_id"]
    assert [reply.replayed for reply in replies] == [False, True]
    other.problem(422, "idempotency_mismatch")


def pages(cloud: Cloud) -> Iterator[list[str]]:
    query = {"limit": "2"}
    while True:
        page = cloud.ask("GET", "/v1/jobs", query=query).ok()
        yield [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            return
        query = {"limit": "2", "cursor": page["next_cursor"]}


def test_row_12_a_list_goes_on_behind_its_cursor(cloud: Cloud) -> None:
    ids = [cloud.job().job_id for _ in range(5)]

    found = list(pages(cloud))

    assert [job_id for page in found for job_id in page] == ids[::-1]
    assert [len(page) for page in found[:2]] == [2, 2]


@pytest.mark.parametrize(
    "query",
    [
        {"endpoint": "artists"},
        {"model": "dream"},
        {"label": "poster"},
        {"metadata": "shot=7"},
        {"q": "red fox"},
        {"starred": "true"},
        {"sort": "oldest"},
        {"task": "txt2img", "status": "queued"},
    ],
    ids="&".join,
)
def test_row_13_lists_are_filtered_and_sorted(cloud: Cloud, query: dict[str, str]) -> None:
    wanted = send(cloud, label="the poster", metadata={"shot": "7"}, params={"prompt": "a quick red fox"})["job_id"]
    cloud.ask("PATCH", f"/v1/jobs/{wanted}", {"starred": True}).ok()
    other = cloud.job(endpoint="goc-main-calm", status=JobStatus.CREATED).job_id

    found = [job["job_id"] for job in cloud.ask("GET", "/v1/jobs", query=query).ok()["jobs"]]

    assert found == ([wanted, other] if "sort" in query else [wanted])


@pytest.mark.parametrize("retries", [0, MAX_RETRIES])
def test_row_14_a_lost_worker_is_tried_again_as_often_as_the_job_says(cloud: Cloud, retries: int) -> None:
    job_id = send(cloud, retries=retries)["job_id"]
    runs = 0
    while cloud.status(job_id) in ("queued", "running"):
        cloud.run(job_id, heartbeat=cloud.clock.now)
        runs += 1
        cloud.clock.now += timedelta(minutes=10)
        cloud.sweeper.sweep(cloud.clock.now)
        cloud.clock.now += timedelta(minutes=10)
        cloud.sweeper.sweep(cloud.clock.now)

    assert (runs, get(cloud, job_id)["error"]["code"]) == (retries + 1, "worker_lost")


def test_row_15_a_finished_job_is_repeated_on_demand(cloud: Cloud) -> None:
    job_id = send(cloud)["job_id"]
    end(cloud, job_id)

    again = cloud.ask("POST", f"/v1/jobs/{job_id}/retry").ok(201)

    assert again["retry_of"] == job_id
    assert again["status"] == "queued"


def test_row_16_a_message_that_cannot_be_handled_is_handed_back_for_the_dead_letters(cloud: Cloud) -> None:
    # `make replay` sends them again: tests/e2e/test_replay.py.
    with pytest.raises(MalformedError):
        cloud.events.handle(notification("0198a000-0000-7000-8000-000000000001", "Completed"))


def test_row_17_a_job_has_two_deadlines_and_the_endpoint_gets_both(cloud: Cloud) -> None:
    send(cloud, ttl_s=60, run_timeout_s=5)
    refused = cloud.ask("POST", "/v1/jobs", txt2img() | {"ttl_s": 1, "run_timeout_s": 9999})

    assert sorted(cloud.endpoint.limits[-1].values()) == [5, 60]
    assert {error["pointer"] for error in refused.problem(422, "invalid_params")["errors"]} == {
        "/ttl_s", "/run_timeout_s"
    }  # fmt: skip


def test_row_18_jobs_have_no_priority_and_who_asks_for_one_is_told(cloud: Cloud) -> None:
    # Priorities and fair turns belong to the queue, which is SageMaker's: first come, first served.
    refused = cloud.ask("POST", "/v1/jobs", txt2img() | {"priority": "high"}).problem(422, "invalid_params")

    assert refused["errors"][0]["pointer"] == "/priority"


def test_row_19_a_quota_keeps_one_user_from_taking_all_places(cloud: Cloud) -> None:
    cloud.ask("PUT", "/v1/users/alice", {"role": "artist", "quotas": {"concurrent_jobs": 1}}, user="root").ok()
    cloud.clock.now += timedelta(seconds=61)
    send(cloud)

    cloud.ask("POST", "/v1/jobs", txt2img()).problem(429, "quota_exceeded")
    assert send(cloud, user="bob")["status"] == "queued"
