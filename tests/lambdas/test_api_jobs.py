"""Routes of jobs: sending, starting, reading, cancelling."""

import json
import math
from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.params import Txt2ImgParams
from lambdas.endpoints.instance_counts import REMEMBERED_SECONDS
from lambdas.jobs.record import JobRecord
from tests.lambdas.cloud import PNG, SETTINGS, START, Cloud, aws_error, img2img, txt2img


def test_a_job_is_queued_and_on_its_endpoint_after_one_request_of_six_calls(cloud: Cloud) -> None:
    asset_id = cloud.checkpoint()
    # Which endpoints there are was asked for in the last seconds.
    cloud.ask("POST", "/v1/jobs", txt2img() | {"checkpoint": "none"}).problem(404, "asset_not_found")
    cloud.counted()

    job = cloud.ask("POST", "/v1/jobs", img2img(steps=20)).ok(201)

    assert cloud.counted() == 6
    assert (job["status"], job["task"], job["checkpoint"]) == ("queued", "img2img", "dream.safetensors")
    assert job["line"] == f"2026-11-22 12:00:00 → img2img → queued → {job['job_id']}"
    assert cloud.endpoint.invoked == [
        {
            "endpoint": "artists",
            "input": f"s3://jobs-bucket/jobs/{job['job_id']}/request.json",
            "id": job["job_id"],
            "type": "application/json",
        }
    ]
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    request = JobRequest.model_validate_json(stored)
    assert request.params == {"init_images": [PNG], "steps": 20}
    assert request.checkpoint is not None
    assert request.checkpoint.asset_id == asset_id
    row = cloud.row(job["job_id"])
    assert row["output_key"] == f"endpoint-output/{job['job_id']}.out"
    assert row["failure_key"] == f"endpoint-failure/{job['job_id']}-error.out"
    assert (row["owner"], row["task"]) == ("alice", "img2img")
    assert float(row["expires_at"]) - cloud.clock.now.timestamp() == pytest.approx(30 * 86400, abs=2)


def test_a_running_job_shows_its_preview_once_there_is_one(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", txt2img() | {"preview": True}).ok(201)["job_id"]
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job_id}/request.json")["Body"].read()
    assert JobRequest.model_validate_json(stored).preview

    seen = []
    for status, previews in (("running", 0), ("running", 2), ("failed", 2)):
        cloud.write(job_id, status=status, progress={"phase": "sampling", "step": 3, "steps": 9, "previews": previews})
        seen.append(cloud.ask("GET", f"/v1/jobs/{job_id}").ok())

    assert [job["preview_url"] is not None for job in seen] == [False, True, False]
    assert f"jobs/{job_id}/output/preview.jpg" in seen[1]["preview_url"]
    assert seen[1]["progress"]["previews"] == 2


def test_the_wish_for_a_preview_lasts_until_a_large_job_is_started(cloud: Cloud) -> None:
    cloud.checkpoint()
    opened = cloud.ask("POST", "/v1/jobs", {**txt2img(), "params": None, "preview": True}).ok(201)
    key = f"jobs/{opened['job_id']}/params.json"
    cloud.s3.put_object(Bucket="jobs-bucket", Key=key, Body=json.dumps({"prompt": "a cat"}).encode())

    cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start").ok()

    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{opened['job_id']}/request.json")["Body"].read()
    assert JobRequest.model_validate_json(stored).preview


def test_a_finish_that_overtakes_the_answer_of_the_endpoint_is_kept(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.endpoint.on_invoke = lambda job_id: cloud.write(job_id, status="succeeded")

    job = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)

    assert job["status"] == "succeeded"
    assert cloud.status(job["job_id"]) == "succeeded"


@pytest.mark.parametrize(
    ("error", "status", "code", "said"),
    [
        (aws_error("ValidationError", "Endpoint artists not found."), 503, "endpoint_not_in_service", "not found"),
        (aws_error("ServiceUnavailable", "come back"), 503, "endpoint_not_in_service", "come back"),
        (aws_error("ThrottlingException", "slow"), 429, "too_many_requests", "too many requests"),
        (EndpointConnectionError(endpoint_url="http://secret"), 503, "endpoint_not_in_service", "EndpointConnection"),
        (aws_error("AccessDeniedException", "arn:aws:secret"), 500, "internal", "request-1"),
    ],
)
def test_a_job_the_endpoint_does_not_take_leaves_no_row_and_no_object(
    cloud: Cloud, error: Exception, status: int, code: str, said: str
) -> None:
    cloud.checkpoint()
    cloud.endpoint.invoke_error = error

    problem = cloud.ask("POST", "/v1/jobs", txt2img()).problem(status, code)

    assert said in problem["detail"]
    assert "secret" not in problem["detail"]
    assert cloud.rows() == 0
    assert cloud.keys() == []


def test_a_job_that_a_worker_has_claimed_is_not_taken_back(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.endpoint.on_invoke = cloud.run
    cloud.endpoint.invoke_error = EndpointConnectionError(endpoint_url="http://secret")

    cloud.ask("POST", "/v1/jobs", txt2img()).problem(503, "endpoint_not_in_service")

    assert cloud.rows() == 1


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        ("Failed", "no GPUs left", "Failed: no GPUs left"),
        ("Creating", None, "Creating"),
        (None, None, "does not exist"),
    ],
)
def test_an_endpoint_that_is_not_in_service_takes_no_job_and_the_reason_is_told(
    cloud: Cloud, status: str | None, reason: str | None, said: str
) -> None:
    cloud.checkpoint()
    cloud.endpoint.status, cloud.endpoint.failure_reason = status, reason

    reply = cloud.ask("POST", "/v1/jobs", txt2img())

    assert said in reply.problem(503, "endpoint_not_in_service")["detail"]
    assert reply.headers["Retry-After"] == "30"
    assert cloud.rows() == 0


@pytest.mark.parametrize("status", ["InService", "Updating", "UpdateRollbackFailed"])
def test_an_endpoint_at_zero_instances_or_scaling_takes_jobs(cloud: Cloud, status: str) -> None:
    cloud.checkpoint()
    cloud.endpoint.status = status

    cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)


def test_every_fault_of_the_params_comes_in_one_answer_with_its_pointer(cloud: Cloud) -> None:
    body = img2img(
        steps=0,
        width="wide",
        stepz=3,
        sampler_name="Eular",
        scheduler="Caracas",
        init_images=["@@@@", PNG, "aGVsbG8="],
        override_settings={"nope": 1, "emphasis": "Loud"},
    )

    problem = cloud.ask("POST", "/v1/jobs", body | {"strict": True}).problem(422, "invalid_params")

    errors = {error["pointer"]: error["message"] for error in problem["errors"]}
    assert set(errors) == {
        "/params/steps",
        "/params/width",
        "/params/stepz",
        "/params/sampler_name",
        "/params/scheduler",
        "/params/init_images/0",
        "/params/init_images/2",
        "/params/override_settings/nope",
        "/params/override_settings/emphasis",
    }
    assert "received 0" in errors["/params/steps"]
    assert "greater than or equal to 1" in errors["/params/steps"]
    assert "did you mean 'steps'?" in errors["/params/stepz"]
    assert "'Eular'; allowed: DPM++ 2M" in errors["/params/sampler_name"]
    assert "not valid base64" in errors["/params/init_images/0"]
    assert "allowed: png, jpeg" in errors["/params/init_images/2"]
    assert cloud.rows() == 0


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"override_settings": {"fp8_storage": "Enable"}}, "/params/override_settings/fp8_storage"),
        ({"alwayson_scripts": {"Censor": {"args": [True]}}}, "/params/alwayson_scripts/Censor"),
    ],
)
def test_a_wish_this_version_cannot_grant_is_refused_and_not_ignored(
    cloud: Cloud, params: dict[str, object], pointer: str
) -> None:
    problem = cloud.ask("POST", "/v1/jobs", txt2img(**params)).problem(422, "not_supported_yet")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("params", "code", "pointer", "words"),
    [
        ({"prompt": "(a:1.2.3)"}, "invalid_params", "/params/prompt", "1.2.3"),
        ({"negative_prompt": "(a:1.2.3)"}, "invalid_params", "/params/negative_prompt", "1.2.3"),
        ({"prompt": "a <lora:style:much>"}, "invalid_params", "/params/prompt", "<lora:style:much>"),
        ({"infotext": "a\nSteps: many, Sampler: Euler, Seed: 1"}, "invalid_params", "/params/infotext", "many"),
        ({"infotext": "a\nSteps: 90000, Sampler: Euler, Seed: 1"}, "invalid_params", "/params/infotext", "90000"),
    ],
)
def test_a_prompt_that_cannot_be_encoded_is_refused_before_it_is_queued(
    cloud: Cloud, params: dict[str, object], code: str, pointer: str, words: str
) -> None:
    problem = cloud.ask("POST", "/v1/jobs", txt2img(**params)).problem(422, code)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert words in problem["errors"][0]["message"]
    assert cloud.rows() == 0


def test_brackets_comments_and_switched_off_networks_are_no_faults(cloud: Cloud) -> None:
    params = {"prompt": "((a) [b:c:0.5 # (x:1.2.3)\n<lora:style:0.8>", "disable_extra_networks": True}

    cloud.checkpoint()

    cloud.ask("POST", "/v1/jobs", txt2img(**params)).ok(201)


def test_interrogation_needs_no_checkpoint_and_names_its_model(cloud: Cloud) -> None:
    cloud.asset("interrogator", "mine.zip")
    body = {"task": "interrogate_clip", "params": {"image": PNG, "model": "clip"}}

    job = cloud.ask("POST", "/v1/jobs", body).ok(201)

    assert (job["task"], job["checkpoint"], job["status"]) == ("interrogate_clip", None, "queued")


def test_an_option_of_interrogation_that_is_not_known_is_refused(cloud: Cloud) -> None:
    cloud.asset("tagger", "mine.zip")
    params = {"image": PNG, "override_settings": {"deepbooru_use_space": False}}

    problem = cloud.ask("POST", "/v1/jobs", {"task": "interrogate_deepbooru", "params": params}).problem(
        422, "invalid_params"
    )

    assert problem["errors"][0]["pointer"] == "/params/override_settings"
    assert "deepbooru_use_spaces" in problem["errors"][0]["message"]


def test_large_pictures_are_asked_for_by_upload(cloud: Cloud) -> None:
    body = img2img(init_images=["A" * (4 * 1024**2)])

    problem = cloud.ask("POST", "/v1/jobs", body).problem(413, "body_too_large")

    assert "params: null" in problem["detail"]


def test_a_job_can_be_opened_uploaded_to_and_started(cloud: Cloud) -> None:
    cloud.checkpoint()
    opened = cloud.ask("POST", "/v1/jobs", {"task": "img2img", "checkpoint": "dream"}).ok(201)
    assert opened["status"] == "created"
    upload = opened["upload"]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in upload["url"]
    assert f"/jobs/{opened['job_id']}/params.json" in upload["url"]
    assert "checksum" not in upload["url"].lower()
    assert (upload["headers"], upload["max_bytes"]) == ({"content-type": "application/json"}, 64 * 1024**2)
    cloud.put(f"jobs/{opened['job_id']}/params.json", json.dumps({"init_images": [PNG]}).encode())

    started = cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start").ok()

    assert (started["status"], started["upload"]) == ("queued", None)
    assert started["checkpoint"] == "dream.safetensors"
    assert [invoked["id"] for invoked in cloud.endpoint.invoked] == [opened["job_id"]]
    problem = cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start").problem(409, "job_state_conflict")
    assert "queued" in problem["detail"]
    assert len(cloud.endpoint.invoked) == 1


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (None, 409, "upload_incomplete"),
        (b"{", 400, "invalid_json"),
        (b"[]", 422, "invalid_params"),
        (b'{"steps": 0}', 422, "invalid_params"),
        (json.dumps({"override_settings": {"fp8_storage": "Enable"}}).encode(), 422, "not_supported_yet"),
    ],
)
def test_a_bad_params_document_leaves_the_job_to_be_started_again(
    cloud: Cloud, document: bytes | None, status: int, code: str
) -> None:
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"}).ok(201)["job_id"]
    if document is not None:
        cloud.put(f"jobs/{job_id}/params.json", document)

    cloud.ask("POST", f"/v1/jobs/{job_id}/start").problem(status, code)

    assert cloud.status(job_id) == "created"
    cloud.put(f"jobs/{job_id}/params.json", b"{}")
    cloud.ask("POST", f"/v1/jobs/{job_id}/start").ok()


def test_a_params_document_over_64_mib_is_refused(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"}).ok(201)["job_id"]
    cloud.put(f"jobs/{job_id}/params.json", bytes(64 * 1024**2 + 1))

    cloud.ask("POST", f"/v1/jobs/{job_id}/start").problem(413, "body_too_large")


def test_a_start_the_endpoint_refuses_puts_the_job_back(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", {"task": "txt2img"}).ok(201)["job_id"]
    before = cloud.row(job_id)
    document = b'{"override_settings": {"sd_model_checkpoint": "dream"}}'
    cloud.put(f"jobs/{job_id}/params.json", document)
    cloud.endpoint.invoke_error = aws_error("ServiceUnavailable")

    cloud.ask("POST", f"/v1/jobs/{job_id}/start").problem(503, "endpoint_not_in_service")

    assert cloud.row(job_id) == before
    assert cloud.keys() == [f"jobs/{job_id}/params.json"]


def test_a_finished_job_shows_its_pictures_in_two_calls(cloud: Cloud) -> None:
    job = cloud.job(output_key="endpoint-output/x.out")
    cloud.put_result(job.job_id, key="endpoint-output/x.out")
    cloud.write(job.job_id, status="succeeded")
    cloud.ask("GET", "/v1/jobs")
    cloud.counted()

    view = cloud.ask("GET", f"/v1/jobs/{job.job_id}").ok()

    assert cloud.counted() == 2
    image = view["result"]["images"][0]
    assert f"jobs/{job.job_id}/output/0.png" in image["url"]
    assert "X-Amz-Signature" in image["url"]
    assert (image["seed"], image["infotext"], view["result"]["timings"]) == (7, "a cat", {"total": 1.5})
    assert view["result"]["metrics"]["memory"] == {"hits": 2, "misses": 1, "bytes": 4096, "seconds": 0.5}


def test_a_running_job_shows_what_the_container_wrote_in_one_call(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.run(job.job_id)
    cloud.write(job.job_id, progress={"phase": "sampling", "step": 3, "steps": 20})
    cloud.ask("GET", "/v1/jobs")
    cloud.counted()

    view = cloud.ask("GET", f"/v1/jobs/{job.job_id}").ok()

    assert cloud.counted() == 1
    said = {"fraction": 0.15, "message": "Drawing, step 3 of 20"}
    assert view["progress"] == {"phase": "sampling", "step": 3, "steps": 20, "previews": 0, **said}
    assert view["started_at"] is not None


def test_a_wait_ends_with_the_next_status(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.clock.during_sleep = [lambda: None, lambda: cloud.run(job.job_id)]

    view = cloud.ask("GET", f"/v1/jobs/{job.job_id}", query={"wait": "25"}).ok()

    assert view["status"] == "running"
    assert cloud.clock.slept == [1.0, 1.0]


def test_a_wait_in_vain_ends_in_time(cloud: Cloud) -> None:
    job = cloud.job()

    view = cloud.ask("GET", f"/v1/jobs/{job.job_id}", query={"wait": "3"}).ok()

    assert view["status"] == "queued"
    assert sum(cloud.clock.slept) == pytest.approx(3, abs=0.01)


def test_nobody_waits_for_a_job_that_has_ended(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.write(job.job_id, status="failed", error={"code": "bad_image", "message": "no", "retryable": False})

    view = cloud.ask("GET", f"/v1/jobs/{job.job_id}", query={"wait": "25"}).ok()

    assert view["error"] == {"code": "bad_image", "message": "no", "retryable": False}
    assert cloud.clock.slept == []


@pytest.mark.parametrize("wait", ["-1", "26", "1.5", "nan", "", "∞", "1" * 5000])
def test_a_wait_out_of_range_is_refused(cloud: Cloud, wait: str) -> None:
    job = cloud.job()

    problem = cloud.ask("GET", f"/v1/jobs/{job.job_id}", query={"wait": wait}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "query:wait"


def test_a_queued_job_is_canceled_at_once_and_again(cloud: Cloud) -> None:
    job = cloud.job()

    for _ in range(2):
        view = cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").ok()
        assert view["status"] == "canceled"
        assert view["finished_at"] is not None
    assert "open" not in cloud.row(job.job_id)


def test_a_created_job_is_canceled_at_once(cloud: Cloud) -> None:
    job_id = cloud.ask("POST", "/v1/jobs", {"task": "txt2img"}).ok(201)["job_id"]

    assert cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()["status"] == "canceled"


def test_a_running_job_is_asked_to_stop_and_may_be_asked_again(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.run(job.job_id)

    for _ in range(2):
        view = cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").ok()
        assert (view["status"], view["cancel_requested"]) == ("running", True)
    assert cloud.row(job.job_id)["cancel_requested"] is True


@pytest.mark.parametrize("status", ["succeeded", "failed", "expired"])
def test_a_job_that_has_ended_otherwise_cannot_be_canceled(cloud: Cloud, status: str) -> None:
    job = cloud.job()
    cloud.write(job.job_id, status=status)

    problem = cloud.ask("POST", f"/v1/jobs/{job.job_id}/cancel").problem(409, "job_state_conflict")

    assert status in problem["detail"]
    assert cloud.status(job.job_id) == status


@pytest.mark.parametrize("action", [("GET", ""), ("POST", "/cancel"), ("POST", "/start")])
def test_another_users_job_looks_like_none_but_not_to_an_admin(cloud: Cloud, action: tuple[str, str]) -> None:
    job = cloud.job(user="alice")
    method, suffix = action

    foreign = cloud.ask(method, f"/v1/jobs/{job.job_id}{suffix}", user="bob").problem(404, "not_found")

    other = "0" + job.job_id[1:] if job.job_id[0] != "0" else "1" + job.job_id[1:]
    missing = cloud.ask(method, f"/v1/jobs/{other}{suffix}", user="bob").problem(404, "not_found")
    assert foreign["detail"].replace(job.job_id, "") == missing["detail"].replace(other, "")
    assert cloud.ask(method, f"/v1/jobs/{job.job_id}{suffix}", user="root").status != 404
    assert SETTINGS.ENDPOINT_NAME not in foreign["detail"]


@pytest.mark.parametrize("job_id", ["x", "1" * 3000, "name#x", "%00", "00000000-0000-0000-0000-00000000000G"])
def test_what_is_no_job_id_is_not_found(cloud: Cloud, job_id: str) -> None:
    cloud.ask("GET", "/v1/jobs", user="bob")
    cloud.counted()

    assert cloud.ask("GET", f"/v1/jobs/{job_id}").status == 404


def test_a_queued_time_is_kept_for_a_job_started_late(cloud: Cloud) -> None:
    cloud.checkpoint()
    job_id = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"}).ok(201)["job_id"]
    cloud.put(f"jobs/{job_id}/params.json", b"{}")
    cloud.clock.now += timedelta(hours=20)

    cloud.ask("POST", f"/v1/jobs/{job_id}/start").ok()

    assert cloud.row(job_id)["queued_at"].startswith("2026-11-23T08:00")


def test_a_view_that_has_not_changed_is_not_sent_again(cloud: Cloud) -> None:
    job = cloud.job(output_key="endpoint-output/x.out")
    cloud.put_result(job.job_id, key="endpoint-output/x.out")
    cloud.write(job.job_id, status="succeeded")
    tag = cloud.ask("GET", f"/v1/jobs/{job.job_id}").headers["ETag"]
    cloud.counted()

    same = cloud.ask("GET", f"/v1/jobs/{job.job_id}", headers={"If-None-Match": f'"other", {tag}'})

    assert (same.status, same.text, same.headers["ETag"]) == (304, "", tag)
    assert cloud.counted() == 1
    cloud.clock.now += timedelta(hours=1)  # the URLs have ended
    cloud.ask("GET", f"/v1/jobs/{job.job_id}", headers={"If-None-Match": tag}).ok()


def test_every_step_of_a_running_job_is_another_view(cloud: Cloud) -> None:
    job = cloud.job()
    cloud.run(job.job_id)
    tags = set()
    for step in range(3):
        cloud.write(job.job_id, progress={"phase": "sampling", "step": step, "steps": 20})
        tags.add(cloud.ask("GET", f"/v1/jobs/{job.job_id}").headers["ETag"])

    assert len(tags) == 3


def test_a_queued_job_shows_its_place_and_how_long_it_may_take(cloud: Cloud) -> None:
    cloud.endpoint.instances = 1

    def place(job: JobRecord) -> tuple[int, float | None]:
        queue = cloud.ask("GET", f"/v1/jobs/{job.job_id}").ok()["queue"]
        return queue["ahead"], queue["eta_seconds"]

    first = cloud.job()
    assert place(first) == (0, None)
    cloud.run(first.job_id)
    cloud.write(first.job_id, started_at="2026-11-22T12:00:00.000000Z")
    running = cloud.jobs.get(first.job_id)
    assert running is not None
    ended = cloud.job_transitions.finish(running, JobStatus.SUCCEEDED, now=START + timedelta(seconds=8))
    assert ended is not None
    cloud.outcomes.run_times.note(ended)
    cloud.clock.now += timedelta(minutes=2)
    ahead, waiting = cloud.job(user="bob"), cloud.job()

    assert place(waiting) == (1, 16.0)
    assert cloud.ask("POST", f"/v1/jobs/{ahead.job_id}/cancel", user="bob").ok()["queue"] is None
    cloud.counted()
    assert place(waiting) == (0, 8.0)
    assert cloud.counted() == 2


@pytest.mark.parametrize("inline", [True, False])
def test_infinity_as_webuis_own_clients_write_it_means_no_limit(cloud: Cloud, inline: bool) -> None:
    cloud.checkpoint()
    params = {"prompt": "a", "s_tmax": math.inf}
    if inline:
        job = cloud.ask("POST", "/v1/jobs", txt2img(**params)).ok(201)
    else:
        job = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream"}).ok(201)
        cloud.put(f"jobs/{job['job_id']}/params.json", json.dumps(params).encode())
        cloud.ask("POST", f"/v1/jobs/{job['job_id']}/start").ok()

    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    assert Txt2ImgParams.model_validate(JobRequest.model_validate_json(stored).params).s_tmax is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_where_it_stands(cloud: Cloud, number: float) -> None:
    problem = cloud.ask("POST", "/v1/jobs", txt2img(cfg_scale=number)).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == ["/params/cfg_scale"]


def test_a_job_that_waits_for_a_sleeping_endpoint_is_starting_since_it_was_queued(cloud: Cloud) -> None:
    job = cloud.job()
    path = f"/v1/jobs/{job.job_id}"

    asleep = cloud.ask("GET", path).ok()
    cloud.endpoint.instances = 1
    cloud.clock.sleep(REMEMBERED_SECONDS)
    awake = cloud.ask("GET", path).ok()

    assert asleep["status"] == "queued"
    assert asleep["progress"]["phase"] == "starting"
    assert asleep["starting_since"] == cloud.row(job.job_id)["queued_at"]
    assert (awake["status"], awake["progress"], awake["starting_since"]) == ("queued", None, None)


def test_sagemaker_is_not_asked_again_for_every_look_at_a_waiting_job(cloud: Cloud) -> None:
    path = f"/v1/jobs/{cloud.job().job_id}"
    cloud.ask("GET", path).ok()
    before = cloud.endpoint.calls["DescribeEndpoint"]

    phases = {cloud.ask("GET", path).ok()["progress"]["phase"] for _ in range(5)}

    assert phases == {"starting"}
    assert cloud.endpoint.calls["DescribeEndpoint"] == before


def test_a_waiting_job_is_shown_also_when_sagemaker_does_not_say_what_its_endpoint_does(cloud: Cloud) -> None:
    path = f"/v1/jobs/{cloud.job().job_id}"
    cloud.endpoint.status = None

    view = cloud.ask("GET", path).ok()

    assert (view["status"], view["progress"], view["starting_since"]) == ("queued", None, None)


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException"])
def test_a_throttled_endpoint_says_when_to_come_again(cloud: Cloud, code: str) -> None:
    cloud.checkpoint()
    cloud.endpoint.invoke_error = aws_error(code, "slow")

    answer = cloud.ask("POST", "/v1/jobs", txt2img())

    assert answer.problem(429, "too_many_requests")["detail"] == "The endpoint artists received too many requests."
    assert answer.headers["Retry-After"] == "5"
