"""Interrogate jobs through the whole container: models in a bucket, the request over HTTP, caption and scores back."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import AssetRef, JobFailure, JobRequest, JobResult
from inference_container.asset_cache import AssetCache
from inference_container.models.model_cache import ModelCache
from inference_container.server import JobLine, create_app
from inference_container.task import load_nothing
from inference_container.tasks import TASKS
from inference_container.worker import Worker
from tests.container.conftest import ASSETS_BUCKET, JOBS_BUCKET, Cloud
from tests.patience import wait_for
from tests.tiny_interrogation import write_interrogator_file, write_wd_zip


@pytest.fixture
def client(cloud: Cloud, tmp_path: Path) -> Iterator[TestClient]:
    worker = Worker(
        records=cloud.records(),
        assets=AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=tmp_path / "cache", max_bytes=10**8),
        models=ModelCache(max_bytes=10**9, load=load_nothing),
        tasks=TASKS,
        s3=cloud.s3,
        jobs_bucket=JOBS_BUCKET,
    )
    line = JobLine(lambda: worker)
    with TestClient(create_app(line, max_request_bytes=10_000_000)) as client:
        wait_for(lambda: line.state() != "starting", "the start")
        yield client


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 10, 10)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def request(cloud: Cloud, task: Task, job_id: str, *assets: AssetRef, **params: object) -> str:
    cloud.put_job(job_id, "queued")
    return JobRequest(
        job_id=job_id,
        task=task,
        params={"image": picture(), **params},
        assets=list(assets),
        output_prefix=f"jobs/{job_id}/output/",
    ).model_dump_json()


def put(cloud: Cloud, path: Path, kind: AssetType, *references: str) -> AssetRef:
    ref = cloud.put_asset(path.read_bytes(), name=path.name, asset_id=f"asset-{path.stem}")
    return ref.model_copy(update={"type": kind, "references": list(references)})


def test_both_interrogations_give_their_line_and_scores_and_store_no_picture(
    client: TestClient, cloud: Cloud, tmp_path: Path
) -> None:
    interrogator = put(cloud, write_interrogator_file(tmp_path / "mine.safetensors"), AssetType.INTERROGATOR)
    tagger = put(cloud, write_wd_zip(tmp_path / "wd.zip"), AssetType.TAGGER, "asset-wd")

    said = client.post("/invocations", content=request(cloud, Task.INTERROGATE_CLIP, "j1", interrogator, model="clip"))
    tagged = client.post(
        "/invocations",
        content=request(cloud, Task.INTERROGATE_DEEPBOORU, "j2", tagger, model="deepdanbooru", tagger="asset-wd"),
    )

    assert (said.status_code, tagged.status_code) == (200, 200), (said.text, tagged.text)
    caption, tags = JobResult.model_validate_json(said.content), JobResult.model_validate_json(tagged.content)
    assert caption.caption is not None
    assert caption.caption.endswith(", ".join(caption.scores))
    assert len(caption.scores) == 3
    # Red is shown as the third value of blue-green-red, which only this tag answers to.
    assert tags.caption == r"saber \(fate\)"
    assert list(tags.scores) == ["saber_(fate)"]
    assert [model.name for model in caption.models] == ["mine.safetensors"]
    assert {"fetching_models", "loading_models", "interrogating", "total"} <= set(caption.timings)
    assert cloud.output_keys() == []


def test_a_job_that_came_without_its_model_fails_by_its_kind(client: TestClient, cloud: Cloud) -> None:
    answer = client.post("/invocations", content=request(cloud, Task.INTERROGATE_CLIP, "j1"))

    assert answer.status_code == 404
    failure = JobFailure.model_validate_json(answer.content)
    assert (failure.error.code, failure.error.message) == (
        "asset_missing",
        "received no interrogator; upload one and send the job again",
    )
