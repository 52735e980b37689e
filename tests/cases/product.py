"""The product in one process: uploads and requests through the API, and a worker that draws what was queued."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from generate_on_cloud.contract.messages import JobFailure, JobResult
from inference_container.asset_cache import AssetCache
from inference_container.job_record import JobRecords
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.tasks import TASKS
from inference_container.worker import Worker
from tests.lambdas.asset_uploads import begin, complete, put_part
from tests.lambdas.cloud import Cloud

Pixels = npt.NDArray[np.int64]


@dataclass
class Product:
    """One cloud and one worker, which keeps what it loaded for all tests of a module."""

    cloud: Cloud
    worker: Worker

    def upload(self, kind: str, name: str, data: bytes, **more: Any) -> dict[str, Any]:
        """The asset as `complete` shows it: active, or failed with its reason."""
        digest = hashlib.sha256(data).hexdigest()
        body = {"type": kind, "name": name, "size": len(data), "sha256": digest, **more}
        asset = begin(self.cloud, body)
        put_part(self.cloud, asset["asset_id"], data)
        complete(self.cloud, asset["asset_id"])
        shown: dict[str, Any] = self.cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()
        return shown

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        """The job that the API makes of a request; it must be taken."""
        job: dict[str, Any] = self.cloud.ask("POST", "/v1/jobs", body).ok(201)
        return job

    def run(self, job: dict[str, Any]) -> JobResult:
        """What the worker answers to a queued job; it must succeed."""
        key = f"jobs/{job['job_id']}/request.json"
        document = self.cloud.s3.get_object(Bucket="jobs-bucket", Key=key)["Body"].read()
        answer = self.worker.answer(document)
        assert not isinstance(answer, JobFailure), answer.error
        return answer

    def draw(self, body: dict[str, Any]) -> tuple[list[Image.Image], dict[str, Any]]:
        """The pictures of a request, and its job as it was taken."""
        job = self.submit(body)
        return [self.picture(image.key) for image in self.run(job).images], job

    def pixels(self, body: dict[str, Any]) -> Pixels:
        """The first picture of a request, (height, width, 3), 0 to 255."""
        return np.asarray(self.draw(body)[0][0].convert("RGB")).astype(np.int64)

    def picture(self, key: str) -> Image.Image:
        data = self.cloud.s3.get_object(Bucket="jobs-bucket", Key=key)["Body"].read()
        picture = Image.open(io.BytesIO(data))
        picture.load()
        return picture


def make_worker(cloud: Cloud, folder: Path) -> Worker:
    """A worker on a CPU whose files lie in `folder`."""

    def load(file: Any) -> Any:
        return load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)

    return Worker(
        records=JobRecords(cloud.dynamodb, "jobs", "worker-1"),
        assets=AssetCache(cloud.s3, bucket="assets-bucket", directory=folder, max_bytes=10**9),
        models=ModelCache(max_bytes=10**9, load=load),
        tasks=TASKS,
        s3=cloud.s3,
        jobs_bucket="jobs-bucket",
    )
