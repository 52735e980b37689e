"""Jobs through the whole container: HTTP in, the real tasks on the tiny checkpoint, pictures in S3 out."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import AssetRef, JobFailure, JobRequest, JobResult
from inference_container.asset_cache import AssetCache
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.server import JobLine, create_app
from inference_container.tasks import TASKS
from inference_container.worker import Worker
from tests.container.conftest import ASSETS_BUCKET, JOBS_BUCKET, Cloud
from tests.patience import wait_for
from tests.tiny_controlnet import write_tiny_controlnet
from tests.tiny_upscaler import write_tiny_upscaler

SMALL: dict[str, Any] = {"prompt": "red cat", "steps": 2, "width": 64, "height": 64, "seed": 5}


def make_worker(cloud: Cloud, directory: Path) -> Worker:
    return Worker(
        records=cloud.records(),
        assets=AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=directory, max_bytes=10**8),
        models=ModelCache(
            max_bytes=10**9, load=lambda file: load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)
        ),
        tasks=TASKS,
        s3=cloud.s3,
        jobs_bucket=JOBS_BUCKET,
    )


@contextmanager
def serving(worker: Worker, *, preload: str = "") -> Iterator[TestClient]:
    line = JobLine(lambda: worker, preload=preload)
    with TestClient(create_app(line, max_request_bytes=10_000_000)) as client:
        wait_for(lambda: line.state() != "starting", "the start")
        yield client


@pytest.fixture
def client(cloud: Cloud, tmp_path: Path) -> Iterator[TestClient]:
    with serving(make_worker(cloud, tmp_path)) as client:
        yield client


def send(
    client: TestClient,
    cloud: Cloud,
    task: Task,
    checkpoint: AssetRef | None,
    params: dict[str, Any],
    *assets: AssetRef,
) -> Any:
    job_id = f"job-{len(cloud.output_keys())}"
    cloud.put_job(job_id, "queued")
    request = JobRequest(
        job_id=job_id,
        task=task,
        params=params,
        checkpoint=checkpoint,
        assets=list(assets),
        output_prefix=f"jobs/{job_id}/output/",
    )
    return client.post("/invocations", content=request.model_dump_json())


def stored_pictures(cloud: Cloud, answer: Any) -> list[Image.Image]:
    assert answer.status_code == 200, answer.text
    pictures: list[Image.Image] = []
    for image in JobResult.model_validate_json(answer.content).images:
        body = cloud.s3.get_object(Bucket=JOBS_BUCKET, Key=image.key)["Body"].read()
        picture = Image.open(io.BytesIO(body))
        picture.load()
        assert (picture.size, picture.format) == ((image.width, image.height), "PNG")
        assert picture.info["parameters"] == image.infotext
        pictures.append(picture)
    return pictures


def as_base64(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_text_becomes_pictures_with_their_infotext(
    client: TestClient, cloud: Cloud, tiny_checkpoint_bytes: bytes
) -> None:
    tiny = cloud.put_asset(tiny_checkpoint_bytes, name="tiny.safetensors")

    answer = send(client, cloud, Task.TXT2IMG, tiny, {**SMALL, "batch_size": 2})

    first, second = stored_pictures(cloud, answer)
    assert first.tobytes() != second.tobytes()
    assert first.info["parameters"].startswith("red cat\nSteps: 2, Sampler: Euler,")
    assert set(answer.json()["timings"]) >= {"loading_models", "sampling", "decoding", "saving", "total"}


def test_inpainting_only_the_masked_part_gives_back_every_other_pixel_of_the_photo(
    client: TestClient, cloud: Cloud, tiny_checkpoint_bytes: bytes
) -> None:
    tiny = cloud.put_asset(tiny_checkpoint_bytes, name="tiny.safetensors")
    photo = Image.effect_noise((150, 110), 70).convert("RGB")
    mask = Image.new("L", photo.size)
    mask.paste(255, (60, 40, 90, 70))

    answer = send(
        client, cloud, Task.IMG2IMG, tiny, {**SMALL, "init_images": [as_base64(photo)], "mask": as_base64(mask)}
    )

    (picture,) = stored_pictures(cloud, answer)
    assert picture.size == photo.size
    changed = (np.asarray(picture) != np.asarray(photo)).any(axis=2)
    assert changed[45:65, 65:85].mean() > 0.9
    changed[30:80, 50:100] = False
    assert not changed.any()


def test_a_broken_init_picture_fails_by_name_and_the_next_job_works(
    client: TestClient, cloud: Cloud, tiny_checkpoint_bytes: bytes
) -> None:
    tiny = cloud.put_asset(tiny_checkpoint_bytes, name="tiny.safetensors")

    answer = send(client, cloud, Task.IMG2IMG, tiny, {**SMALL, "init_images": ["bm90IGEgcGljdHVyZQ=="]})

    assert answer.status_code == 422
    assert JobFailure.model_validate_json(answer.content).error.message.startswith("init_images[0]: received 13 bytes")
    assert len(stored_pictures(cloud, send(client, cloud, Task.TXT2IMG, tiny, SMALL))) == 1


def test_a_controlnet_and_an_upscaler_are_fetched_loaded_and_used_once(
    client: TestClient, cloud: Cloud, tiny_checkpoint_bytes: bytes, tmp_path: Path
) -> None:
    tiny = cloud.put_asset(tiny_checkpoint_bytes, name="tiny.safetensors")
    files = [write_tiny_controlnet(tmp_path / "edges.safetensors"), write_tiny_upscaler(tmp_path / "sharp.pth")]
    edges, sharp = (
        cloud.put_asset(path.read_bytes(), name=path.name).model_copy(update={"type": kind})
        for path, kind in zip(files, (AssetType.CONTROLNET, AssetType.UPSCALER), strict=True)
    )
    photo = as_base64(Image.effect_noise((64, 64), 70).convert("RGB"))
    units = {"ControlNet": {"args": [{"model": "edges", "image": photo}]}}

    drawn = send(client, cloud, Task.TXT2IMG, tiny, {**SMALL, "alwayson_scripts": units}, edges)
    enlarged = [
        send(client, cloud, Task.EXTRA_SINGLE_IMAGE, None, {"image": photo, "upscaler_1": "sharp"}, sharp)
        for _ in range(2)
    ]

    result = JobResult.model_validate_json(drawn.content)
    assert [model.name for model in result.models] == ["tiny.safetensors", "edges.safetensors"]
    assert len(result.images) == 2
    assert (result.metrics.disk.misses, result.metrics.memory.misses) == (2, 2)
    first, second = (JobResult.model_validate_json(answer.content) for answer in enlarged)
    assert (first.images[0].width, first.images[0].infotext) == (
        128,
        "Postprocess upscale by: 2, Postprocess upscaler: sharp",
    )
    assert (first.metrics.memory.misses, second.metrics.memory.misses, second.metrics.disk.misses) == (1, 0, 0)


def test_the_first_job_finds_a_preloaded_checkpoint_loaded(
    cloud: Cloud, tmp_path: Path, tiny_checkpoint_bytes: bytes
) -> None:
    checkpoint = cloud.put_asset(tiny_checkpoint_bytes)

    with serving(make_worker(cloud, tmp_path), preload=checkpoint.key) as client:
        answer = send(client, cloud, Task.TXT2IMG, checkpoint, SMALL)

    metrics = JobResult.model_validate_json(answer.content).metrics
    assert answer.status_code == 200
    assert (metrics.disk.hits, metrics.disk.misses) == (1, 0)
    assert (metrics.memory.hits, metrics.memory.misses) == (1, 0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(None, "asset_missing: checkpoint model.safetensors", id="a-file-that-is-not-there"),
        pytest.param(b"no model at all", "was not preloaded: ", id="a-file-that-is-no-model"),
    ],
)
def test_what_cannot_be_preloaded_is_logged_with_the_reason_and_the_container_draws_on(
    cloud: Cloud,
    tmp_path: Path,
    tiny_checkpoint_bytes: bytes,
    caplog: pytest.LogCaptureFixture,
    *,
    data: bytes | None,
    said: str,
) -> None:
    key = "assets/a2/model.safetensors"
    if data is not None:
        cloud.put_asset(data, asset_id="a2")
    checkpoint = cloud.put_asset(tiny_checkpoint_bytes)

    with serving(make_worker(cloud, tmp_path), preload=key) as client:
        ping = client.get("/ping")
        answer = send(client, cloud, Task.TXT2IMG, checkpoint, SMALL)

    assert (ping.status_code, answer.status_code) == (200, 200)
    assert [record.levelname for record in caplog.records if said in record.getMessage()] == ["ERROR"]
