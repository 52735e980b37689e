"""What a client may do around a job: rehearse, repeat without doubling, send again, delete."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobRequest
from lambdas.aws.rows import new_id
from tests.lambdas.cloud import PNG, Cloud, Reply, aws_error, before_call, img2img, txt2img


def create(cloud: Cloud, key: str | None = None, *, user: str = "alice", **body: Any) -> Reply:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return cloud.ask("POST", "/v1/jobs", {**txt2img(), **body}, user=user, headers=headers)


def ended(cloud: Cloud, **body: Any) -> str:
    """A job that was sent through the API and has succeeded; its id."""
    job_id = str(create(cloud, **body).ok(201)["job_id"])
    job = cloud.jobs.get(job_id)
    assert job is not None
    cloud.put_result(job_id)
    cloud.put(f"jobs/{job_id}/output/0.png", b"png")
    assert cloud.job_transitions.finish(job, JobStatus.SUCCEEDED, now=cloud.clock.now)
    return job_id


def test_notes_and_limits_come_back_and_reach_the_endpoint(cloud: Cloud) -> None:
    cloud.checkpoint(sha256="a" * 64)

    job = create(cloud, metadata={"shot": "7"}, ttl_s=600, run_timeout_s=60).ok(201)

    assert (job["metadata"], job["ttl_s"], job["run_timeout_s"]) == ({"shot": "7"}, 600, 60)
    assert job["models"] == [{"type": "checkpoint", "name": "dream.safetensors", "sha256": "a" * 64}]
    assert cloud.endpoint.limits == [{"RequestTTLSeconds": 600, "InvocationTimeoutSeconds": 60}]
    assert cloud.ask("GET", f"/v1/jobs/{job['job_id']}").ok()["metadata"] == {"shot": "7"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"ttl_s": 59}, "/ttl_s"),
        ({"run_timeout_s": 3601}, "/run_timeout_s"),
        ({"metadata": {"a": "x" * 513}}, "/metadata/a"),
        ({"metadata": {str(number): "" for number in range(17)}}, "/metadata"),
        ({"endpoint": "another"}, "/endpoint"),
    ],
)
def test_a_note_or_limit_out_of_bounds_is_refused(cloud: Cloud, body: dict[str, Any], pointer: str) -> None:
    problem = create(cloud, **body).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_job_past_its_own_time_in_the_queue_is_expired(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = create(cloud, ttl_s=60).ok(201)["job_id"]

    swept = cloud.sweeper.sweep(cloud.clock.now + timedelta(hours=1, minutes=2))

    assert [job.status for job in swept.ended] == ["expired"]
    assert "within 60 seconds" in cloud.row(job_id)["error"]["message"]


def test_a_dry_run_checks_everything_and_makes_nothing(cloud: Cloud) -> None:
    cloud.checkpoint()

    view = create(cloud, dry_run=True).ok(200)

    assert (view["dry_run"], view["checkpoint"], view["upload"]) == (True, "dream.safetensors", None)
    assert (cloud.rows(), cloud.keys(), cloud.endpoint.invoked) == (0, [], [])
    cloud.ask("GET", f"/v1/jobs/{view['job_id']}").problem(404, "not_found")
    create(cloud, dry_run=True, checkpoint="gone").problem(404, "asset_not_found")
    cloud.endpoint.status = "Failed"
    create(cloud, dry_run=True).problem(503, "endpoint_not_in_service")


def test_the_same_request_with_its_key_makes_one_job(cloud: Cloud) -> None:
    cloud.checkpoint()
    first = create(cloud, "k1")

    again = create(cloud, "k1")

    assert again.ok(201) == first.ok(201)
    assert (first.replayed, again.replayed) == (False, True)
    assert len(cloud.endpoint.invoked) == 1


def test_a_key_is_its_users_own_and_lasts_a_day(cloud: Cloud) -> None:
    cloud.checkpoint()
    first = create(cloud, "k1").ok(201)["job_id"]

    assert create(cloud, "k1", user="bob").ok(201)["job_id"] != first
    cloud.clock.now += timedelta(hours=23, minutes=59)
    assert create(cloud, "k1").replayed
    cloud.clock.now += timedelta(minutes=2)
    assert create(cloud, "k1").ok(201)["job_id"] != first


def test_a_key_of_another_request_is_refused(cloud: Cloud) -> None:
    cloud.checkpoint()
    create(cloud, "k1").ok(201)

    create(cloud, "k1", preview=True).problem(422, "idempotency_mismatch")

    assert len(cloud.endpoint.invoked) == 1


def test_a_request_beside_the_first_one_is_asked_to_come_back(cloud: Cloud) -> None:
    cloud.checkpoint()
    beside = []
    cloud.endpoint.on_invoke = lambda _: beside.append(create(cloud, "k1"))

    create(cloud, "k1").ok(201)

    (reply,) = beside
    reply.problem(409, "idempotency_in_flight")
    assert 1 <= int(reply.headers["Retry-After"]) <= 5


def test_a_refused_request_leaves_its_key_free(cloud: Cloud) -> None:
    create(cloud, "k1").problem(404, "asset_not_found")
    cloud.checkpoint()

    assert not create(cloud, "k1").replayed
    assert len(cloud.endpoint.invoked) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ü"])
def test_what_is_no_key_is_refused(cloud: Cloud, key: str) -> None:
    problem = create(cloud, key).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "header:Idempotency-Key"


@pytest.mark.parametrize("was_made", [True, False])
def test_whoever_comes_after_a_crash_makes_or_finds_the_one_job(cloud: Cloud, was_made: bool) -> None:
    cloud.checkpoint()

    def crash(_: str) -> None:
        raise KeyboardInterrupt

    cloud.endpoint.on_invoke = crash
    with pytest.raises(KeyboardInterrupt):
        create(cloud, "k1")
    stored = cloud.keys()
    (job_id,) = [key.split("/")[1] for key in stored]
    if not was_made:
        cloud.dynamodb.delete_item(TableName="jobs", Key={"job_id": {"S": job_id}})
    cloud.endpoint.on_invoke = None
    create(cloud, "k1").problem(409, "idempotency_in_flight")
    cloud.clock.now += timedelta(minutes=1)

    assert create(cloud, "k1").ok(201)["job_id"] == job_id

    assert len(cloud.endpoint.invoked) == (0 if was_made else 1)  # a job that is there is the sweeper's to send
    assert create(cloud, "k1").replayed


def test_a_failure_of_ours_keeps_the_key_until_it_may_be_taken_over(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.endpoint.invoke_error = aws_error("AccessDeniedException")
    create(cloud, "k1").problem(500, "internal")
    cloud.endpoint.invoke_error = None
    cloud.clock.now += timedelta(minutes=1)

    create(cloud, "k1").ok(201)

    assert len(cloud.endpoint.invoked) == 1


def test_a_picture_may_be_an_uploaded_input_or_a_url(cloud: Cloud) -> None:
    cloud.checkpoint()
    place = cloud.ask("POST", "/v1/inputs", {"size": 7}).ok(201)
    (key,) = re.findall(r"inputs/[0-9a-f]{32}/[0-9a-f-]{36}", place["upload"]["url"])
    cloud.put(key, b"picture")
    url = "https://pictures.example/a.png"

    job = cloud.ask("POST", "/v1/jobs", img2img(init_images=[place["input_id"], PNG], batch_size=2, mask=url)).ok(201)

    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    pictures = JobRequest.model_validate_json(stored).pictures
    assert pictures == {"/mask": url, "/init_images/0": f"jobs/{job['job_id']}/input/1"}
    copied = cloud.s3.get_object(Bucket="jobs-bucket", Key=pictures["/init_images/0"])["Body"].read()
    assert copied == b"picture"


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_input_that_is_not_there_or_anothers_is_refused(cloud: Cloud, dry_run: bool) -> None:
    cloud.checkpoint()
    place = cloud.ask("POST", "/v1/inputs", {"size": 7}).ok(201)
    (key,) = re.findall(r"inputs/[0-9a-f]{32}/[0-9a-f-]{36}", place["upload"]["url"])
    cloud.put(key, b"picture")
    body = {**img2img(init_images=[place["input_id"]], mask=new_id()), "dry_run": dry_run}

    mine = cloud.ask("POST", "/v1/jobs", body).problem(422, "invalid_params")
    theirs = cloud.ask("POST", "/v1/jobs", body, user="bob").problem(422, "invalid_params")

    assert [error["pointer"] for error in mine["errors"]] == ["/params/mask"]
    assert {error["pointer"] for error in theirs["errors"]} == {"/params/mask", "/params/init_images/0"}
    assert (cloud.rows(), cloud.keys()) == (0, [key])


@pytest.mark.parametrize("url", ["https://", "https://user:hunter2@a.example/", "https://a.example:99999/"])
def test_a_url_that_may_not_be_fetched_is_refused(cloud: Cloud, url: str) -> None:
    problem = cloud.ask("POST", "/v1/jobs", img2img(init_images=[url])).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == ["/params/init_images/0"]
    assert "hunter2" not in problem["errors"][0]["message"]


def test_an_ended_job_is_sent_again_as_a_new_one(cloud: Cloud) -> None:
    checkpoint = cloud.checkpoint()
    old = ended(cloud, metadata={"shot": "7"}, preview=True)

    new = cloud.ask("POST", f"/v1/jobs/{old}/retry").ok(201)

    assert (new["retry_of"], new["status"], new["metadata"]) == (old, "queued", {"shot": "7"})
    assert new["job_id"] != old
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{new['job_id']}/request.json")["Body"].read()
    request = JobRequest.model_validate_json(stored)
    assert (request.params, request.preview) == ({"prompt": "a cat"}, True)
    assert request.checkpoint is not None
    assert request.checkpoint.asset_id == checkpoint
    assert cloud.status(old) == "succeeded"


@pytest.mark.parametrize("seed", [-1, 7])
def test_a_retry_may_name_another_seed(cloud: Cloud, seed: int) -> None:
    cloud.checkpoint()
    old = ended(cloud)

    new = cloud.ask("POST", f"/v1/jobs/{old}/retry", {"seed": seed}).ok(201)

    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{new['job_id']}/request.json")["Body"].read()
    assert JobRequest.model_validate_json(stored).params == {"prompt": "a cat", "seed": seed}


@pytest.mark.parametrize(
    ("seed", "pointer"), [(-2, "/seed"), ("x", "/seed"), (2**64, "/params/seed")], ids=["negative", "text", "too large"]
)
def test_a_retry_with_a_seed_that_cannot_be_is_refused(cloud: Cloud, seed: object, pointer: str) -> None:
    cloud.checkpoint()
    old = ended(cloud)

    problem = cloud.ask("POST", f"/v1/jobs/{old}/retry", {"seed": seed}).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_task_without_a_seed_is_not_sent_again_with_one(cloud: Cloud) -> None:
    cloud.asset("upscaler", "sharp.pth")
    body = {"task": "extra_single_image", "params": {"image": PNG, "upscaler_1": "sharp"}, "checkpoint": None}
    old = ended(cloud, **body)

    problem = cloud.ask("POST", f"/v1/jobs/{old}/retry", {"seed": 1}).problem(422, "invalid_params")

    assert "draws without a seed" in problem["errors"][0]["message"]


def test_a_retry_with_a_key_is_made_once(cloud: Cloud) -> None:
    cloud.checkpoint()
    old = ended(cloud)

    replies = [cloud.ask("POST", f"/v1/jobs/{old}/retry", headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert replies[0].ok(201) == replies[1].ok(201)


@pytest.mark.parametrize("action", [("POST", "/retry"), ("DELETE", "")])
def test_an_open_job_is_neither_sent_again_nor_deleted(cloud: Cloud, action: tuple[str, str]) -> None:
    job = cloud.job()

    problem = cloud.ask(action[0], f"/v1/jobs/{job.job_id}{action[1]}").problem(409, "job_state_conflict")

    assert "queued" in problem["detail"]
    assert cloud.status(job.job_id) == "queued"


def test_a_job_whose_request_is_gone_cannot_be_sent_again(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").ok()

    problem = cloud.ask("POST", f"/v1/jobs/{job.job_id}/retry").problem(409, "job_state_conflict")

    assert "no longer stored" in problem["detail"]


def test_a_deleted_job_leaves_nothing_behind(cloud: Cloud) -> None:
    cloud.checkpoint()
    kept, gone = ended(cloud), ended(cloud)

    reply = cloud.ask("DELETE", f"/v1/jobs/{gone}")

    assert (reply.status, reply.text) == (204, "")
    left = cloud.keys()
    assert [key for key in left if gone in key] == []
    assert len([key for key in left if kept in key]) == 3
    cloud.ask("GET", f"/v1/jobs/{gone}").problem(404, "not_found")
    cloud.ask("DELETE", f"/v1/jobs/{gone}").problem(404, "not_found")


def test_a_deletion_that_storage_breaks_off_can_be_repeated(cloud: Cloud) -> None:
    def fail() -> None:
        raise aws_error("InternalError")

    cloud.checkpoint()
    gone = ended(cloud)
    with before_call(cloud.s3, "s3.DeleteObjects", fail):
        broken = cloud.ask("DELETE", f"/v1/jobs/{gone}")

    assert broken.status == 500
    assert cloud.status(gone) == "succeeded"
    assert cloud.ask("DELETE", f"/v1/jobs/{gone}").status == 204
    left = cloud.keys()
    assert [key for key in left if gone in key] == []


def test_jobs_are_deleted_together_and_each_refusal_is_told(cloud: Cloud) -> None:
    cloud.checkpoint()
    gone, foreign = ended(cloud), cloud.job(user="bob").job_id
    waiting = cloud.job().job_id
    unknown = new_id()

    answer = cloud.ask("POST", "/v1/jobs/delete", {"job_ids": [gone, foreign, waiting, unknown, "x", gone]}).ok()

    assert answer["deleted"] == [gone]
    assert [(refused["job_id"], refused["code"]) for refused in answer["refused"]] == [
        (foreign, "not_found"),
        (waiting, "job_state_conflict"),
        (unknown, "not_found"),
        ("x", "not_found"),
    ]
    assert cloud.status(foreign) == "queued"


def test_another_users_job_is_neither_sent_again_nor_deleted(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = ended(cloud)

    for method, suffix in (("POST", "/retry"), ("DELETE", "")):
        cloud.ask(method, f"/v1/jobs/{job_id}{suffix}", user="bob").problem(404, "not_found")

    assert cloud.status(job_id) == "succeeded"


def test_a_large_document_may_be_started_under_a_key_of_its_own_job(cloud: Cloud) -> None:
    cloud.checkpoint()
    opened = create(cloud, "k1", params=None).ok(201)
    cloud.put(f"jobs/{opened['job_id']}/params.json", json.dumps({"prompt": "a"}).encode())

    started = cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start").ok()

    assert started["status"] == "queued"
    assert create(cloud, "k1", params=None).ok(201)["job_id"] == opened["job_id"]
