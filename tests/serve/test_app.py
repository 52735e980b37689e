"""The routes against a cloud in memory: a job for each request, found again by a client that left."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.client.errors import ConnectionLostError, ProblemError
from generate_on_cloud.contract.errors import Problem, ProblemCode
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.faces.sdapi.pictures import LARGE
from generate_on_cloud.serve.finishing import IGNORED, JOB
from tests.faces.shelves import PICTURE, file
from tests.serve.webui_server import CHANCE, FIXED, Server, run


def test_a_request_becomes_one_job_and_its_result_the_answer() -> None:
    async def test() -> None:
        server = Server()
        answer = await server.drawn({**FIXED, "url": "http://x", "width": 64}, info={"seed": 5, "infotexts": ["a"]})

        assert answer.status == 200
        assert answer.json["info"] == '{"seed": 5, "infotexts": ["a"]}'
        assert answer.json["parameters"]["width"] == 64
        assert answer.headers[IGNORED] == "url"
        assert answer.headers[JOB] == "j1"
        (job,) = server.cloud.sent
        assert (job.task, job.checkpoint, job.params) == (Task.TXT2IMG, "shapes.safetensors", {**FIXED, "width": 64})
        assert any("ignored as in WebUI: url" in line for line in server.lines)
        assert any("done, 4.0 s of GPU, about $0.0020" in line for line in server.lines)

    run(test)


@pytest.mark.parametrize("body", [FIXED, CHANCE])
def test_a_client_that_left_finds_its_job_again(body: dict[str, Any]) -> None:
    async def test() -> None:
        server, gone = Server(), asyncio.Event()
        first = asyncio.create_task(server.post("/sdapi/v1/txt2img", body, leaves=gone))
        await server.sent(1)
        gone.set()
        assert (await first).status == 499

        again = asyncio.create_task(server.post("/sdapi/v1/txt2img", body))
        await asyncio.sleep(0.05)
        server.cloud.end("j1")

        assert (await again).headers[JOB] == "j1"
        assert len(server.cloud.sent) == 1

    run(test)


@pytest.mark.parametrize("body", [FIXED, CHANCE])
def test_a_client_that_left_gets_the_pictures_of_the_finished_job(body: dict[str, Any]) -> None:
    async def test() -> None:
        server, gone = Server(), asyncio.Event()
        first = asyncio.create_task(server.post("/sdapi/v1/txt2img", body, leaves=gone))
        await server.sent(1)
        gone.set()
        await first
        server.cloud.end("j1")
        await server.shows(job_count=0)

        assert (await server.post("/sdapi/v1/txt2img", body)).headers[JOB] == "j1"

    run(test)


@pytest.mark.parametrize(("body", "jobs"), [(FIXED, 1), (CHANCE, 2)])
def test_two_clients_share_a_job_only_if_chance_decides_nothing(body: dict[str, Any], jobs: int) -> None:
    async def test() -> None:
        server = Server()
        asking = [asyncio.create_task(server.post("/sdapi/v1/txt2img", body)) for _ in range(2)]
        await server.sent(jobs)
        await asyncio.sleep(0.05)
        for number in range(jobs):
            server.cloud.end(f"j{number + 1}")

        assert {(await one).headers[JOB] for one in asking} == {f"j{number + 1}" for number in range(jobs)}

    run(test)


def test_a_picture_of_chance_is_drawn_anew_once_it_was_delivered() -> None:
    async def test() -> None:
        server = Server()
        assert [(await server.drawn(CHANCE)).headers[JOB], (await server.drawn(CHANCE)).headers[JOB]] == ["j1", "j2"]

    run(test)


def test_progress_shows_the_job_and_is_zero_before_and_after() -> None:
    async def test() -> None:
        server = Server()
        idle = (await server.get("/sdapi/v1/progress")).json
        asking = asyncio.create_task(
            server.post("/sdapi/v1/txt2img", {**FIXED, "force_task_id": "task(7)", "n_iter": 3})
        )
        await server.shows(job_count=3)
        running = (await server.get("/sdapi/v1/progress?skip_current_image=true")).json
        named = (await server.post("/internal/progress", {"id_task": "task(7)"})).json
        pending = (await server.get("/internal/pending-tasks")).json
        server.cloud.end("j1")
        await asking

        assert (idle["progress"], idle["state"]["job_count"]) == (0, 0)
        assert running["progress"] > 0
        assert named["completed"] is False
        assert pending == {"size": 1, "tasks": ["task(7)"]}
        assert (await server.get("/sdapi/v1/progress")).json["state"]["job_count"] == 0
        assert (await server.get("/internal/progress?id_task=task(7)")).json["completed"] is True
        assert (await server.post("/internal/progress", {"id_task": "task(8)"})).json["completed"] is False

    run(test)


def test_interrupt_cancels_the_callers_own_job_only() -> None:
    async def test() -> None:
        server = Server()
        server.name = "anna"
        asking = asyncio.create_task(server.post("/sdapi/v1/txt2img", FIXED))
        await server.sent(1)
        await server.shows(job="txt2img")
        server.name = "ben"
        assert (await server.post("/sdapi/v1/interrupt")).json == {}
        assert server.cloud.canceled == []
        assert (await server.get("/sdapi/v1/progress")).json["state"]["job_count"] == 0
        server.name = "anna"
        await server.post("/sdapi/v1/interrupt")

        answer = await asking
        assert server.cloud.canceled == ["j1"]
        assert (answer.status, answer.json["detail"]) == (409, "Job j1 was interrupted.")
        assert (await server.drawn(FIXED)).headers[JOB] == "j2"

    run(test)


def test_skip_ends_the_batch_of_the_callers_running_job_only() -> None:
    async def test() -> None:
        server = Server()
        assert (await server.post("/sdapi/v1/skip")).status == 200
        asking = asyncio.create_task(server.post("/sdapi/v1/txt2img", FIXED))
        await server.sent(1)
        await server.shows(job="txt2img")
        server.name = "ben"
        await server.post("/sdapi/v1/skip")
        assert server.cloud.skipped == []
        server.name = ""
        skipped = await server.post("/sdapi/v1/skip")
        server.cloud.refusal = _problem(ProblemCode.JOB_STATE_CONFLICT, 409)
        ended = await server.post("/sdapi/v1/skip")
        server.cloud.refusal = None
        server.cloud.end("j1")
        await asking

        assert [skipped.status, skipped.json, ended.status] == [200, None, 200]
        assert IGNORED not in skipped.headers
        assert server.cloud.skipped == ["j1"]

    run(test)


def test_options_are_each_callers_own_and_survive_the_server(tmp_path: Path) -> None:
    async def test() -> None:
        kept = tmp_path / "settings" / "serve.json"
        server = Server(kept)
        server.name = "anna"
        changed = await server.post("/sdapi/v1/options", {"CLIP_stop_at_last_layers": 2, "save_txt": True})
        assert (changed.status, changed.json, changed.headers[IGNORED]) == (200, None, "save_txt")
        server.name = "ben"
        assert (await server.get("/sdapi/v1/options")).json["CLIP_stop_at_last_layers"] == 1

        later = Server(kept)
        later.name = "anna"
        assert (await later.get("/sdapi/v1/options")).json["CLIP_stop_at_last_layers"] == 2
        await later.drawn(FIXED)
        assert later.cloud.sent[0].params == {**FIXED, "override_settings": {"CLIP_stop_at_last_layers": 2}}
        assert kept.stat().st_mode & 0o077 == 0

    run(test)


def test_the_checkpoint_of_the_last_job_is_that_of_the_next(tmp_path: Path) -> None:
    async def test() -> None:
        server = Server(tmp_path / "serve.json")
        server.cloud.shelf.append(file("checkpoint", "other.safetensors", "b" * 64))
        refused = await server.post("/sdapi/v1/txt2img", FIXED)
        await server.drawn({**FIXED, "override_settings": {"sd_model_checkpoint": "other"}})
        await server.drawn(FIXED | {"seed": 6})

        assert refused.status == 400
        assert "other.safetensors [bbbbbbbbbb], shapes.safetensors [aaaaaaaaaa]" in refused.json["detail"]
        assert [job.checkpoint for job in server.cloud.sent] == ["other.safetensors"] * 2

    run(test)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sdapi/v1/txt2img", {**FIXED, "override_settings": {"sd_model_checkpoint": "new"}}),
        ("/sdapi/v1/options", {"sd_model_checkpoint": "new"}),
    ],
)
def test_a_checkpoint_that_was_uploaded_a_moment_ago_is_found(path: str, body: dict[str, Any]) -> None:
    async def test() -> None:
        server = Server()
        assert (await server.post(path, body)).status == 400
        server.cloud.shelf.append(file("checkpoint", "new.safetensors", "c" * 64))
        asking = asyncio.create_task(server.post(path, body))
        if "txt2img" in path:
            await server.sent(1)
            server.cloud.end("j1")
        assert (await asking).status == 200

    run(test)


@pytest.mark.parametrize(
    ("path", "body", "task"),
    [
        ("/sdapi/v1/img2img", {**FIXED, "init_images": [PICTURE]}, Task.IMG2IMG),
        ("/sdapi/v1/extra-single-image", {"image": PICTURE}, Task.EXTRA_SINGLE_IMAGE),
        ("/sdapi/v1/interrogate", {"image": PICTURE, "model": "deepdanbooru"}, Task.INTERROGATE_DEEPBOORU),
    ],
)
def test_every_task_has_its_route(path: str, body: dict[str, Any], task: Task) -> None:
    async def test() -> None:
        server = Server()
        assert (await server.drawn(body, path)).status == 200
        assert server.cloud.sent[0].task is task

    run(test)


def test_a_batch_is_a_job_for_each_picture() -> None:
    async def test() -> None:
        server = Server()
        body = {"imageList": [{"data": PICTURE, "name": "a"}, {"data": PICTURE, "name": "b"}], "upscaling_resize": 2}
        asking = asyncio.create_task(server.post("/sdapi/v1/extra-batch-images", body))
        await server.sent(1)
        for number in range(len(server.cloud.sent)):
            server.cloud.end(f"j{number + 1}", info={"html_info": "<p>x</p>"})

        assert (await asking).json["html_info"] == "<p>x</p>"

    run(test)


def test_a_large_picture_goes_up_as_an_input() -> None:
    async def test() -> None:
        server = Server()
        large = base64.b64encode(bytes(LARGE)).decode()
        await server.drawn({**FIXED, "init_images": [large]}, "/sdapi/v1/img2img")

        assert server.cloud.sent[0].params == {**FIXED, "init_images": ["input-1"]}
        assert server.cloud.uploads == [bytes(LARGE)]

    run(test)


def _problem(code: ProblemCode, status: int) -> ProblemError:
    return ProblemError(Problem(type="", title="", status=status, code=code, detail="It is so.", request_id="r"))


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConnectionLostError("no answer from http://x"), 503, "The cloud cannot be reached: no answer"),
        (_problem(ProblemCode.UNAUTHORIZED, 401), 502, "does not accept the key"),
        (_problem(ProblemCode.QUOTA_EXCEEDED, 429), 429, "It is so."),
        (_problem(ProblemCode.ENDPOINT_NOT_IN_SERVICE, 503), 503, "It is so."),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_what_the_cloud_refuses_is_an_error_in_webuis_shape(
    error: Exception, status: int, said: str, *, known: bool
) -> None:
    async def test() -> None:
        server = Server()
        if known:  # the list of files was read before: the refusal comes when the job is sent
            await server.get("/sdapi/v1/sd-models")
        server.cloud.refusal = error  # type: ignore[assignment]
        answer = await server.post("/sdapi/v1/txt2img", FIXED)

        assert answer.status == status
        assert said in answer.json["detail"]
        assert set(answer.json) == {"error", "detail", "body", "errors"}

    run(test)


def test_a_failed_job_is_an_error_and_is_sent_again_by_the_next_request() -> None:
    async def test() -> None:
        server = Server()
        failed = await server.drawn(FIXED, status=JobStatus.FAILED, error="too big for this GPU")

        assert failed.status == 507
        assert failed.json["detail"].startswith("too big for this GPU (job j1")
        assert (await server.drawn(FIXED)).status == 200

    run(test)


LISTS = [
    "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-models", "sd-vae", "hypernetworks", "loras",
    "embeddings", "face-restorers", "realesrgan-models", "prompt-styles", "scripts", "script-info", "memory",
    "cmd-flags", "options", "progress",
]  # fmt: skip
OTHERS = [
    "/controlnet/version", "/controlnet/model_list", "/controlnet/module_list", "/controlnet/control_types",
    "/controlnet/settings", "/internal/pending-tasks", "/login_check", "/", "/docs",
]  # fmt: skip


@pytest.mark.parametrize("path", [*(f"/sdapi/v1/{name}" for name in LISTS), *OTHERS])
def test_every_reading_route_of_webui_answers(path: str) -> None:
    async def test() -> None:
        assert (await Server().get(path)).status == 200

    run(test)


@pytest.mark.parametrize("name", ["refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings",
                                  "reload-checkpoint", "unload-checkpoint", "skip", "interrupt"])  # fmt: skip
def test_routes_with_nothing_to_do_answer_too(name: str) -> None:
    async def test() -> None:
        assert (await Server().post(f"/sdapi/v1/{name}")).status == 200

    run(test)


def test_refreshing_looks_the_files_up_again() -> None:
    async def test() -> None:
        server = Server()
        await server.get("/sdapi/v1/loras")
        await server.get("/sdapi/v1/loras")
        assert server.cloud.asked == 1
        await server.post("/sdapi/v1/refresh-loras")
        await server.get("/sdapi/v1/loras")
        assert server.cloud.asked == 2

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/sdapi/v1/train/embedding", 404, "training is not offered"),
        ("POST", "/sdapi/v1/server-kill", 404, "stopped where it was started"),
        ("GET", "/sdapi/v1/no-such", 404, "there is no such route"),
        ("GET", "/sdapi/v1/txt2img", 405, "GET is not allowed"),
    ],
)
def test_what_is_not_here_says_why(method: str, path: str, status: int, said: str) -> None:
    async def test() -> None:
        server = Server()
        answer = await (server.get(path) if method == "GET" else server.post(path, {}))
        assert answer.status == status
        assert said in answer.json["detail"]

    run(test)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    async def test() -> None:
        answer = await Server().post("/sdapi/v1/txt2img", body)
        assert answer.status == 422

    run(test)
