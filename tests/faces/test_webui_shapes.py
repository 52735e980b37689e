"""Every route answers as WebUI 1.10.1's own models say: the same names, the same types, nothing more."""

import asyncio
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.faces import webui_models as webui
from tests.faces.shelves import PICTURE, SHELF
from tests.serve.webui_server import Server, run

LISTS: dict[str, Any] = {
    "/sdapi/v1/samplers": list[webui.Sampler],
    "/sdapi/v1/schedulers": list[webui.Scheduler],
    "/sdapi/v1/upscalers": list[webui.Upscaler],
    "/sdapi/v1/latent-upscale-modes": list[webui.Named],
    "/sdapi/v1/sd-models": list[webui.SdModel],
    "/sdapi/v1/sd-vae": list[webui.SdVae],
    "/sdapi/v1/hypernetworks": list[webui.Hypernetwork],
    "/sdapi/v1/loras": list[webui.Lora],
    "/sdapi/v1/embeddings": webui.Embeddings,
    "/sdapi/v1/face-restorers": list[webui.FaceRestorer],
    "/sdapi/v1/realesrgan-models": list[webui.Realesrgan],
    "/sdapi/v1/prompt-styles": list[webui.PromptStyle],
    "/sdapi/v1/scripts": webui.Scripts,
    "/sdapi/v1/script-info": list[webui.ScriptInfo],
    "/sdapi/v1/extensions": list[webui.Extension],
    "/sdapi/v1/memory": webui.Memory,
    "/sdapi/v1/cmd-flags": webui.Flags,
    "/sdapi/v1/options": webui.Options,
    "/sdapi/v1/progress": webui.Progress,
    "/internal/pending-tasks": webui.PendingTasks,
    "/internal/progress?id_task=none": webui.TaskProgress,
    "/controlnet/version": webui.ControlNetVersion,
    "/controlnet/settings": webui.ControlNetSettings,
    "/controlnet/model_list": webui.ControlNetModels,
    "/controlnet/module_list": webui.ControlNetModules,
    "/controlnet/control_types": webui.ControlTypes,
    "/login_check": None,
}
DRAWN: dict[str, tuple[dict[str, Any], Any]] = {
    "/sdapi/v1/txt2img": ({"prompt": "a", "seed": 5}, webui.Drawing),
    "/sdapi/v1/img2img": ({"init_images": [PICTURE], "seed": 5}, webui.Drawing),
    "/sdapi/v1/extra-single-image": ({"image": PICTURE}, webui.Extras),
    "/sdapi/v1/extra-batch-images": ({"imageList": [{"data": PICTURE, "name": "a"}]}, webui.ExtrasBatch),
    "/sdapi/v1/interrogate": ({"image": PICTURE}, webui.Caption),
}
DONE_AT_ONCE: dict[str, tuple[dict[str, Any] | None, Any]] = {
    "/sdapi/v1/png-info": ({"image": PICTURE}, webui.PngInfo),
    "/controlnet/detect": ({"controlnet_module": "invert", "controlnet_input_images": [PICTURE]}, webui.Maps),
    "/internal/progress": ({"id_task": "none"}, webui.TaskProgress),
    "/sdapi/v1/options": ({"CLIP_stop_at_last_layers": 2}, None),
    "/sdapi/v1/interrupt": (None, webui.Empty),
    "/sdapi/v1/skip": (None, None),
    "/sdapi/v1/refresh-checkpoints": (None, None),
    "/sdapi/v1/refresh-vae": (None, None),
    "/sdapi/v1/refresh-loras": (None, None),
    "/sdapi/v1/refresh-embeddings": (None, None),
    "/sdapi/v1/reload-checkpoint": (None, webui.Empty),
    "/sdapi/v1/unload-checkpoint": (None, webui.Empty),
}


def has_shape(said: object, shape: Any) -> None:
    """Raises ValidationError, which names the field, if the answer is another."""
    TypeAdapter(shape).validate_python(said)


def stocked() -> Server:
    """A server with a file of every type."""
    server = Server()
    server.cloud.shelf = list(SHELF.assets)
    return server


@pytest.mark.parametrize("path", LISTS)
def test_a_route_that_is_read(path: str) -> None:
    async def test() -> None:
        answer = await stocked().get(path)

        assert answer.status == 200
        has_shape(answer.json, LISTS[path])

    run(test)


@pytest.mark.parametrize("path", DRAWN)
def test_a_route_that_draws(path: str) -> None:
    async def test() -> None:
        body, shape = DRAWN[path]
        answer = await stocked().drawn(body, path, info={"seed": 5, "html_info": "<p>x</p>"}, caption="a cat")

        assert answer.status == 200
        has_shape(answer.json, shape)

    run(test)


@pytest.mark.parametrize("path", DONE_AT_ONCE)
def test_a_route_that_is_done_at_once(path: str) -> None:
    async def test() -> None:
        body, shape = DONE_AT_ONCE[path]
        answer = await stocked().post(path, body)

        assert answer.status == 200
        has_shape(answer.json, shape)

    run(test)


def test_progress_of_a_running_job() -> None:
    async def test() -> None:
        server = stocked()
        body = {"prompt": "a", "seed": 5, "force_task_id": "task(1)"}
        asking = asyncio.create_task(server.post("/sdapi/v1/txt2img", body))
        await server.sent(1)
        await server.shows(job_count=1)

        has_shape((await server.get("/sdapi/v1/progress")).json, webui.Progress)
        has_shape((await server.post("/internal/progress", {"id_task": "task(1)"})).json, webui.TaskProgress)
        server.cloud.end("j1")
        await asking

    run(test)
