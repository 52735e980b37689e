"""Requests of small pictures, and waiting for what becomes of their jobs."""

import base64
import io
import random
import time
from typing import Any

import psutil
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import TERMINAL, JobPhase, JobStatus
from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with

SIZE = 64


def picture(*, size: int = SIZE, seed: int = 1) -> Image.Image:
    return Image.frombytes("RGB", (size, size), random.Random(seed).randbytes(size * size * 3))


def base64_png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def txt2img(**fields: Any) -> dict[str, Any]:
    return {"prompt": "the red cat", "steps": 2, "width": SIZE, "height": SIZE, "seed": 5} | fields


def img2img(**fields: Any) -> dict[str, Any]:
    return txt2img(init_images=[base64_png(picture())], denoising_strength=0.5) | fields


def endless() -> dict[str, Any]:
    """A job that is still running whenever a test looks at it."""
    return txt2img(steps=150, n_iter=100)


def until(service: GenerateOnCloud, job_id: str, *, sampling: bool) -> JobView:
    """The job once it is sampling, or once it has ended; fails the test after two minutes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = service.jobs.get(job_id, wait=1)
        if job.status in TERMINAL:
            return job
        if sampling and job.progress is not None and job.progress.phase is JobPhase.SAMPLING and job.progress.step > 0:
            return job
    raise AssertionError(f"nothing happened to {job}")


def until_queued_or_ended(service: GenerateOnCloud, job_id: str) -> None:
    """Wait until the loss of a job's worker is known; fails the test after two minutes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = service.jobs.get(job_id)
        if job.status is not JobStatus.RUNNING:
            return
        time.sleep(0.1)
    raise AssertionError(f"{job} lost its worker and nobody knows")


def container_of(cloud: LocalCloud) -> psutil.Process:
    (container,) = children_with(cloud.pid, "inference_container.server")
    return container
