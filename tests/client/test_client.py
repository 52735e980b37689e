"""The client against a small service: what it sends, and that every failure becomes one clear exception."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from generate_on_cloud.client.assets import file_sha256
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import ConnectionLostError, JobNotSucceededError, ProblemError, TransferError
from generate_on_cloud.client.job_filters import JobFilters
from generate_on_cloud.client.jobs import INLINE_MAX_BYTES
from generate_on_cloud.contract.capabilities import capabilities
from generate_on_cloud.contract.job_bodies import CreateJob, PatchJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.webhooks import Webhook, WebhookEvent
from lambdas.api.job_lists import JobsQuery
from tests.client.small_service import TIME, asset, job
from tests.job_examples import ASKED

Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers by `METHOD path` and remembers what it was asked; a list is answered one after the other."""

    def __init__(self, answers: dict[str, httpx.Response | list[httpx.Response] | Answer]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[f"{request.method} {request.url.path}"]
        if isinstance(answer, list):
            return answer.pop(0)
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self) -> GenerateOnCloud:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return GenerateOnCloud("http://cloud.test/prod/", "goc_key", http=http)


def test_the_key_goes_to_the_api_and_never_to_storage(tmp_path: Path) -> None:
    image = {"url": "http://storage.test/0.png", "width": 8, "height": 8, "format": "png", "seed": 1, "infotext": "x"}
    result: dict[str, object] = {
        "images": [image],
        "info": {},
        "parameters": {},
        "caption": None,
        "models": [],
        "timings": {},
    }
    service = Service(
        {
            "GET /prod/v1/jobs/j1": httpx.Response(200, json=job("succeeded", result=result)),
            "GET /0.png": httpx.Response(200, content=b"picture"),
        }
    )

    with service.client() as cloud:
        paths = cloud.jobs.save(cloud.jobs.finish("j1"), tmp_path)

    assert [path.read_bytes() for path in paths] == [b"picture"]
    assert [request.headers.get("x-api-key") for request in service.requests] == ["goc_key", None]


def test_a_refusal_names_code_field_and_request() -> None:
    problem = {
        "type": "urn:generate-on-cloud:problem:invalid_params",
        "title": "Some fields of the request are invalid",
        "status": 422,
        "code": "invalid_params",
        "detail": "one field is not valid",
        "request_id": "r1",
        "errors": [{"pointer": "/params/steps", "message": "received 0; allowed: 1 to 150"}],
    }
    service = Service({"POST /prod/v1/jobs": httpx.Response(422, json=problem)})

    with service.client() as cloud, pytest.raises(ProblemError) as refused:
        cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params={"steps": 0}))

    assert str(refused.value) == (
        "one field is not valid (invalid_params, request r1)\n  /params/steps: received 0; allowed: 1 to 150"
    )


def test_an_error_that_the_problem_s_sentence_has_is_not_told_twice() -> None:
    message = "received 0; allowed: 1 to 150"
    problem = {"type": "", "title": "", "status": 422, "code": "invalid_params", "request_id": "r1",
               "detail": f"steps: {message} (1 more errors are listed)",
               "errors": [{"pointer": "/params/steps", "message": message},
                          {"pointer": "/params/width", "message": "received 1; allowed: 8 or more"}]}  # fmt: skip
    service = Service({"POST /prod/v1/jobs": httpx.Response(422, json=problem)})

    with service.client() as cloud, pytest.raises(ProblemError) as refused:
        cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params={"steps": 0}))

    assert str(refused.value).count(message) == 1
    assert "/params/width: received 1" in str(refused.value)


def test_an_answer_that_is_not_the_apis_own_is_told_as_it_is() -> None:
    service = Service({"GET /prod/v1/endpoints": httpx.Response(502, text="Bad gateway")})

    with service.client() as cloud, pytest.raises(ProblemError, match="HTTP 502: Bad gateway"):
        cloud.endpoints.list()


def test_no_answer_is_a_lost_connection() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with (
        Service({"GET /prod/v1/health": refuse}).client() as cloud,
        pytest.raises(ConnectionLostError, match="refused"),
    ):
        cloud.health()


def test_params_too_big_for_one_request_are_uploaded_and_started() -> None:
    upload = {"url": "http://storage.test/p", "headers": {"content-type": "a/b"}, "max_bytes": 9, "expires_at": TIME}
    service = Service(
        {
            "POST /prod/v1/jobs": httpx.Response(202, json=job("created", upload=upload)),
            "PUT /p": httpx.Response(200),
            "POST /prod/v1/jobs/j1/start": httpx.Response(202, json=job()),
        }
    )
    params = {"prompt": "x" * INLINE_MAX_BYTES}

    with service.client() as cloud:
        started = cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params=params, checkpoint="a"))

    create, put, _ = service.requests
    sent = json.loads(create.content)
    assert (sent["task"], sent["checkpoint"], "params" in sent) == ("txt2img", "a", False)
    assert json.loads(put.content) == params
    assert put.headers["content-type"] == "a/b"
    assert started.status is JobStatus.QUEUED


def test_a_job_that_failed_is_an_exception_with_its_reason() -> None:
    error = {"code": "bad_image", "message": "init_images/0 is a PDF", "retryable": False}
    service = Service({"GET /prod/v1/jobs/j1": httpx.Response(200, json=job("failed", error=error))})

    with service.client() as cloud, pytest.raises(JobNotSucceededError, match="bad_image: init_images/0 is a PDF"):
        cloud.jobs.finish("j1")


def taking_parts() -> dict[str, httpx.Response | list[httpx.Response] | Answer]:
    """The service knows no asset of the file's size, and signs what it is asked for."""
    return {"GET /prod/v1/assets": httpx.Response(200, json=page()), "POST /prod/v1/assets/a1/parts": sign}


def sign(request: httpx.Request) -> httpx.Response:
    signed = [
        {
            "part_number": part["part_number"],
            "url": f"http://storage.test/part{part['part_number']}",
            "headers": {"x-amz-checksum-sha256": part["sha256"]},
        }
        for part in json.loads(request.content)["parts"]
    ]
    return httpx.Response(200, json={"parts": signed, "expires_at": TIME})


def page(*assets: dict[str, object]) -> dict[str, object]:
    return {"assets": list(assets), "next_cursor": None}


def parts(*sizes: int) -> dict[str, object]:
    offsets = [sum(sizes[:number]) for number in range(len(sizes))]
    return {
        "part_size": sizes[0],
        "expires_at": TIME,
        "parts": [
            {"part_number": number, "offset": offset, "size": size, "url": None}
            for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True), start=1)
        ],
    }


def test_a_file_goes_up_in_its_parts_and_a_part_that_failed_is_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    service = Service(
        {
            **taking_parts(),
            "POST /prod/v1/assets": httpx.Response(201, json=asset("uploading", upload=parts(3, 2))),
            "PUT /part1": [httpx.Response(503), httpx.Response(200, headers={"etag": '"e1"'})],
            "PUT /part2": httpx.Response(200, headers={"etag": '"e2"'}),
            "POST /prod/v1/assets/a1/complete": httpx.Response(200, json=asset("active")),
        }
    )
    sent: list[int] = []

    with service.client() as cloud:
        uploaded = cloud.assets.upload(file, "lora", advance=sent.append)

    bodies = {request.url.path: request.content for request in service.requests if request.method == "PUT"}
    checksums = {
        request.headers["x-amz-checksum-sha256"] for request in service.requests if request.url.path == "/part1"
    }
    declared = json.loads(service.requests[1].content)
    assert bodies == {"/part1": b"123", "/part2": b"45"}
    assert checksums == {hashlib.sha256(b"123").hexdigest()}
    assert declared.items() >= {"type": "lora", "name": "x.safetensors", "size": 5}.items()
    assert declared["checksum_algorithm"] == "SHA256"
    assert json.loads(service.requests[-1].content) == {"sha256": file_sha256(file)}
    assert sum(sent) == 5
    assert uploaded.status == "active"


def test_a_part_that_storage_refuses_ends_the_upload_with_its_words(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    service = Service(
        {
            **taking_parts(),
            "POST /prod/v1/assets": httpx.Response(201, json=asset("uploading", upload=parts(5))),
            "PUT /part1": httpx.Response(403, text="SignatureDoesNotMatch"),
        }
    )

    with service.client() as cloud, pytest.raises(TransferError, match=r"part 1 .*403: SignatureDoesNotMatch"):
        cloud.assets.upload(file, "lora")

    asked = [(request.method, request.url.path) for request in service.requests]
    signing, putting = ("POST", "/prod/v1/assets/a1/parts"), ("PUT", "/part1")
    assert asked[2:] == [signing, putting, signing, putting]


def test_the_part_that_failed_is_named_and_not_one_that_was_stopped_for_it(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    second_failed = threading.Event()

    def fail(_: httpx.Request) -> httpx.Response:
        second_failed.set()
        return httpx.Response(400, text="EntityTooLarge")

    def stay(_: httpx.Request) -> httpx.Response:
        assert second_failed.wait(60)
        return httpx.Response(503)

    service = Service(
        {
            **taking_parts(),
            "POST /prod/v1/assets": httpx.Response(201, json=asset("uploading", upload=parts(3, 2))),
            "PUT /part1": stay,
            "PUT /part2": fail,
        }
    )

    with service.client() as cloud, pytest.raises(TransferError, match=r"part 2 .*400: EntityTooLarge"):
        cloud.assets.upload(file, "lora")


def test_bytes_that_are_there_are_not_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    service = Service(
        {
            "GET /prod/v1/assets": httpx.Response(200, json=page(asset("active"))),
            f"GET /prod/v1/assets/by-hash/{file_sha256(file)}": httpx.Response(200, json=page(asset("active"))),
        }
    )
    hashed: list[int] = []

    with service.client() as cloud:
        there = cloud.assets.upload(file, "lora", hashing=hashed.append)

    assert there.asset_id == "a1"
    assert sum(hashed) == 5
    assert [request.method for request in service.requests] == ["GET", "GET"]
    assert dict(service.requests[0].url.params) == {"type": "lora", "size": "5", "limit": "100"}


def test_a_stored_part_with_other_bytes_is_sent_again_and_one_with_the_same_is_not(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    stored = parts(3, 2)
    for part, data in zip(stored["parts"], (b"123", b"old"), strict=True):  # type: ignore[call-overload]
        part |= {"received": True, "sha256": hashlib.sha256(data).hexdigest()}
    service = Service(
        {
            **taking_parts(),
            "POST /prod/v1/assets": httpx.Response(201, json=asset("uploading", upload=stored)),
            "PUT /part2": httpx.Response(200),
            "POST /prod/v1/assets/a1/complete": httpx.Response(200, json=asset("active")),
        }
    )
    sent: list[int] = []

    with service.client() as cloud:
        cloud.assets.upload(file, "lora", advance=sent.append)

    assert [request.content for request in service.requests if request.method == "PUT"] == [b"45"]
    assert sum(sent) == 5


def test_a_job_whose_answer_was_lost_is_sent_again_under_the_same_key() -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        service.answers["POST /prod/v1/jobs"] = httpx.Response(201, json=job())
        raise httpx.ReadTimeout("no answer", request=request)

    service = Service({"POST /prod/v1/jobs": lose})

    with service.client() as cloud:
        sent = cloud.jobs.submit(
            CreateJob(task=Task.TXT2IMG, params={"prompt": "a"}, checkpoint="a", metadata={"shot": "7"})
        )

    first, second = service.requests
    assert sent.job_id == "j1"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    assert json.loads(first.content)["metadata"] == {"shot": "7"}


@pytest.mark.parametrize("name", CreateJob.model_fields)
def test_every_field_of_a_job_reaches_the_service(name: str) -> None:
    service = Service({"POST /prod/v1/jobs": httpx.Response(200, json=job("created", dry_run=True))})

    with service.client() as cloud:
        cloud.jobs.submit(ASKED)

    field = CreateJob.model_fields[name]
    sent = json.loads(service.requests[0].content)[name]
    assert sent == ASKED.model_dump(mode="json")[name]
    assert sent != field.get_default(call_default_factory=True), f"give ASKED an example of {name}"


def test_a_job_says_where_its_end_is_told() -> None:
    service = Service({"POST /prod/v1/jobs": httpx.Response(201, json=job())})
    webhook = Webhook(url="https://artist.example.com/hook", events=[WebhookEvent.JOB_SUCCEEDED])

    with service.client() as cloud:
        cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params={"prompt": "a"}, checkpoint="a", webhook=webhook))

    sent = json.loads(service.requests[0].content)["webhook"]
    assert sent == {"url": "https://artist.example.com/hook", "events": ["job.succeeded"]}


def test_a_rehearsed_job_uploads_nothing() -> None:
    service = Service({"POST /prod/v1/jobs": httpx.Response(200, json=job("created", dry_run=True))})

    with service.client() as cloud:
        view = cloud.jobs.submit(
            CreateJob(task=Task.TXT2IMG, params={"prompt": "x" * INLINE_MAX_BYTES}, checkpoint="a", dry_run=True)
        )

    assert view.dry_run
    assert len(service.requests) == 1


def test_the_client_says_what_the_service_can_do() -> None:
    can = capabilities("9.9")
    service = Service({"GET /prod/v1/capabilities": httpx.Response(200, json=can.model_dump(mode="json"))})

    with service.client() as cloud:
        assert cloud.capabilities() == can


def test_every_filter_reaches_the_service_under_its_name() -> None:
    service = Service({"GET /prod/v1/jobs": httpx.Response(200, json={"jobs": [], "next_cursor": None})})
    time = datetime(2026, 5, 1, tzinfo=UTC)
    filters: JobFilters = {
        "task": Task.TXT2IMG, "status": JobStatus.FAILED, "endpoint": "calm", "owner": "bob", "created_from": time,
        "created_before": time.isoformat(), "sort": "oldest", "model": "dream", "label": "poster", "starred": False,
        "metadata": ("shot", "a=7"), "q": "red fox",
    }  # fmt: skip

    with service.client() as cloud:
        assert list(cloud.jobs.list(**filters)) == []
        cloud.jobs.page(limit=5, cursor="c")

    listed, page = (dict(request.url.params) for request in service.requests)
    assert listed == {
        "limit": "100", "task": "txt2img", "status": "failed", "endpoint": "calm", "owner": "bob",
        "from": time.isoformat(), "to": time.isoformat(), "sort": "oldest", "model": "dream", "label": "poster",
        "starred": "false", "metadata": "shot=a=7", "q": "red fox",
    }  # fmt: skip
    assert page == {"limit": "5", "cursor": "c"}
    asked = {field.alias or name for name, field in JobsQuery.model_fields.items()}
    assert listed.keys() == asked - {"cursor"}


def test_a_watched_job_is_seen_whenever_it_changes_and_not_when_it_does_not() -> None:
    service = Service(
        {
            "GET /prod/v1/jobs/j1": [
                httpx.Response(200, json=job("queued")),
                httpx.Response(200, json=job("running"), headers={"ETag": 'W/"a"'}),
                httpx.Response(304, headers={"ETag": 'W/"a"'}),
                httpx.Response(200, json=job("succeeded"), headers={"ETag": 'W/"b"'}),
            ]
        }
    )

    with service.client() as cloud:
        seen = [view.status for view in cloud.jobs.watch("j1", wait=7)]

    assert seen == ["queued", "running", "succeeded"]
    assert [request.headers.get("if-none-match") for request in service.requests] == [None, None, 'W/"a"', 'W/"a"']
    assert {request.url.params["wait"] for request in service.requests} == {"7"}


def test_all_waiting_jobs_are_canceled_in_as_many_requests_as_it_takes() -> None:
    def canceled(*job_ids: str, more: bool = False) -> httpx.Response:
        return httpx.Response(200, json={"canceled": list(job_ids), "refused": [], "more": more})

    service = Service({"POST /prod/v1/jobs/cancel": [canceled("a"), canceled("b", more=True), canceled("c")]})

    with service.client() as cloud:
        assert cloud.jobs.cancel_all(["a"]).canceled == ["a"]
        assert cloud.jobs.cancel_waiting(keep=["d"]).canceled == ["b", "c"]

    named, first, second = (json.loads(request.content) for request in service.requests)
    assert named["job_ids"] == ["a"]
    assert first == second == {"all_waiting": True, "everyone": False, "keep": ["d"]}


def test_groups_of_usage_are_added_up_over_pages() -> None:
    def page(cursor: str | None, *groups: Mapping[str, object]) -> httpx.Response:
        return httpx.Response(
            200, json={"days": [], "groups": groups, "price_per_hour": 1.0, "asset_bytes": None, "next_cursor": cursor}
        )

    a, b = ({"key": key, "jobs": 1, "gpu_seconds": 10.0, "cost": cost} for key, cost in (("a", None), ("b", 0.5)))
    service = Service({"GET /prod/v1/usage": [page("c", a), page(None, a, b)]})

    with service.client() as cloud:
        groups = cloud.usage.groups("model", "2026-11", everyone=True)

    assert [(group.key, group.jobs, group.cost) for group in groups] == [("b", 1, 0.5), ("a", 2, None)]
    first, second = (dict(request.url.params) for request in service.requests)
    assert first.items() >= {"by": "model", "month": "2026-11", "everyone": "true"}.items()
    assert second["cursor"] == "c"


def test_a_job_is_labelled_and_starred() -> None:
    service = Service({"PATCH /prod/v1/jobs/j1": httpx.Response(200, json=job(label="", starred=True))})

    with service.client() as cloud:
        changed = cloud.jobs.change("j1", PatchJob(label="", starred=True))

    assert changed.starred
    assert json.loads(service.requests[0].content) == {"label": "", "starred": True}


def test_jobs_are_sent_again_and_deleted() -> None:
    service = Service(
        {
            "POST /prod/v1/jobs/j0/retry": httpx.Response(201, json=job(retry_of="j0")),
            "DELETE /prod/v1/jobs/j0": httpx.Response(204),
            "POST /prod/v1/jobs/delete": httpx.Response(
                200, json={"deleted": ["a"], "refused": [{"job_id": "b", "code": "not_found", "detail": "no"}]}
            ),
        }
    )

    with service.client() as cloud:
        again = cloud.jobs.retry("j0")
        cloud.jobs.delete("j0")
        answer = cloud.jobs.delete_all(["a", "b"])

    assert again.retry_of == "j0"
    assert (answer.deleted, answer.refused[0].code) == (["a"], "not_found")
    assert json.loads(service.requests[-1].content) == {"job_ids": ["a", "b"]}


EXPIRED = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
STALE = [httpx.Response(403, text="Request has expired"), httpx.Response(400, text=EXPIRED)]
PICTURE = {"width": 8, "height": 8, "format": "png", "seed": 1, "infotext": "x"}


def succeeded(url: str) -> httpx.Response:
    nothing: dict[str, object] = {"info": {}, "parameters": {}, "caption": None, "models": [], "timings": {}}
    result = {"images": [{**PICTURE, "url": url}], **nothing}
    return httpx.Response(200, json=job("succeeded", result=result))


def waiting(url: str) -> httpx.Response:
    upload = {"url": url, "headers": {}, "max_bytes": 9, "expires_at": TIME}
    return httpx.Response(200, json=job("created", upload=upload))


def given(number: int) -> httpx.Response:
    upload = {"url": f"http://storage.test/in{number}", "headers": {}, "max_bytes": 9, "expires_at": TIME}
    return httpx.Response(201, json={"input_id": f"input-{number}", "upload": upload})


@pytest.mark.parametrize("stale", STALE, ids=["403", "expired-token"])
def test_a_picture_whose_url_has_ended_is_fetched_by_a_fresh_one(tmp_path: Path, stale: httpx.Response) -> None:
    service = Service(
        {
            "GET /prod/v1/jobs/j1": [succeeded("http://storage.test/old"), succeeded("http://storage.test/new")],
            "GET /old": stale,
            "GET /new": httpx.Response(200, content=b"picture"),
        }
    )

    with service.client() as cloud:
        (path,) = cloud.jobs.save(cloud.jobs.get("j1"), tmp_path)

    assert path.read_bytes() == b"picture"


@pytest.mark.parametrize("stale", STALE, ids=["403", "expired-token"])
def test_params_and_pictures_are_put_to_a_fresh_url_when_the_first_has_ended(stale: httpx.Response) -> None:
    service = Service(
        {
            "POST /prod/v1/jobs": waiting("http://storage.test/old"),
            "GET /prod/v1/jobs/j1": waiting("http://storage.test/new"),
            "PUT /old": stale,
            "PUT /new": httpx.Response(200),
            "POST /prod/v1/jobs/j1/start": httpx.Response(200, json=job("queued")),
            "POST /prod/v1/inputs": [given(1), given(2)],
            "PUT /in1": stale,
            "PUT /in2": httpx.Response(200),
        }
    )
    params = {"prompt": "x" * INLINE_MAX_BYTES}

    with service.client() as cloud:
        queued = cloud.jobs.submit(CreateJob(task=Task.TXT2IMG, params=params))
        input_id = cloud.jobs.upload(b"picture")

    assert (queued.status, input_id) == (JobStatus.QUEUED, "input-2")


def test_a_url_that_is_refused_twice_is_given_up(tmp_path: Path) -> None:
    service = Service({"GET /prod/v1/jobs/j1": succeeded("http://storage.test/old"), "GET /old": httpx.Response(403)})

    with service.client() as cloud, pytest.raises(TransferError, match="storage answered 403"):
        cloud.jobs.save(cloud.jobs.get("j1"), tmp_path)

    assert [request.url.path for request in service.requests].count("/old") == 2


def test_a_part_whose_url_ended_while_others_were_sent_gets_a_fresh_one(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"12345")
    service = Service(
        {
            **taking_parts(),
            "POST /prod/v1/assets": httpx.Response(201, json=asset("uploading", upload=parts(5))),
            "PUT /part1": [httpx.Response(503), *STALE[:1], httpx.Response(503), *STALE[1:], httpx.Response(200)],
            "POST /prod/v1/assets/a1/complete": httpx.Response(200, json=asset("active")),
        }
    )

    with service.client() as cloud:
        uploaded = cloud.assets.upload(file, "lora")

    assert uploaded.status == "active"


def test_an_empty_file_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "empty.safetensors").write_bytes(b"")
    service = Service({})

    with service.client() as cloud, pytest.raises(TransferError, match=r"empty.safetensors is empty \(0 bytes\)"):
        cloud.assets.upload(tmp_path / "empty.safetensors", "lora")
    assert service.requests == []


def test_an_import_without_a_name_leaves_it_to_the_service() -> None:
    service = Service({"POST /prod/v1/assets": httpx.Response(201, json=asset("importing"))})

    with service.client() as cloud:
        cloud.assets.import_url("civitai:42", "lora")

    sent = json.loads(service.requests[0].content)
    assert (sent["source_url"], "name" in sent) == ("civitai:42", False)
