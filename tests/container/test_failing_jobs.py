"""Jobs that fail, each in its own way, through the real worker and the real tasks: the reason is a value, and the next
job draws the very picture it drew before."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save

from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import AssetRef, JobFailure, JobRequest, JobResult
from inference_container.asset_cache import AssetCache
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, TaskOutput, TaskRunner
from inference_container.tasks import TASKS
from inference_container.worker import Worker
from tests.container.conftest import ASSETS_BUCKET, JOBS_BUCKET, Cloud
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state

PARAMS: dict[str, Any] = {"prompt": "red cat", "steps": 1, "width": 64, "height": 64, "seed": 5}


LoadFile = Callable[[ModelFile], Checkpoint]


def load(file: ModelFile) -> Checkpoint:
    return load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)


class Bench:
    """One worker over all jobs of a test."""

    def __init__(self, cloud: Cloud, folder: Path, tiny: bytes, *, load: LoadFile) -> None:
        self.cloud = cloud
        self.tiny = cloud.put_asset(tiny, name="tiny.safetensors")
        self.models = ModelCache(max_bytes=10**9, load=load)
        self.tasks = dict(TASKS)
        self.worker = Worker(
            records=cloud.records(),
            assets=AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=folder, max_bytes=10**8),
            models=self.models,
            tasks=self.tasks,
            s3=cloud.s3,
            jobs_bucket=JOBS_BUCKET,
            heartbeat_seconds=0.01,
        )
        self.jobs = 0

    def run(
        self, params: dict[str, Any], *, task: Task = Task.TXT2IMG, checkpoint: AssetRef | None = None
    ) -> JobResult | JobFailure:
        self.jobs += 1
        job_id = f"job-{self.jobs}"
        self.cloud.put_job(job_id, "queued")
        request = JobRequest(
            job_id=job_id,
            task=task,
            params=PARAMS | params,
            checkpoint=checkpoint or self.tiny,
            output_prefix=f"jobs/{job_id}/output/",
        )
        return self.worker.answer(request.model_dump_json().encode())

    def picture(self, **params: Any) -> bytes:
        """What a good job draws."""
        return self.drawn(self.run(params))

    def drawn(self, answer: JobResult | JobFailure) -> bytes:
        """The first picture of an answer."""
        assert isinstance(answer, JobResult), answer
        stored: bytes = self.cloud.s3.get_object(Bucket=JOBS_BUCKET, Key=answer.images[0].key)["Body"].read()
        return stored


@pytest.fixture
def bench(cloud: Cloud, tmp_path: Path, tiny_checkpoint_bytes: bytes) -> Bench:
    return Bench(cloud, tmp_path, tiny_checkpoint_bytes, load=load)


@pytest.fixture(scope="module")
def load_once() -> LoadFile:
    """The real loader; one reading of a file serves all tests that leave its model as it was."""
    loaded: dict[str, Checkpoint] = {}

    def load_new(file: ModelFile) -> Checkpoint:
        if file.sha256 not in loaded:
            loaded[file.sha256] = load(file)
        return loaded[file.sha256]

    return load_new


@pytest.fixture
def quick_bench(cloud: Cloud, tmp_path: Path, tiny_checkpoint_bytes: bytes, load_once: LoadFile) -> Bench:
    return Bench(cloud, tmp_path, tiny_checkpoint_bytes, load=load_once)


def as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int = 64, height: int = 64) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 50).save(file, "PNG")
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A few hundred bytes that would unpack to width×height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


def tiny_with_nan_in(name: str) -> bytes:
    """A checkpoint file one tensor of which is not a number."""
    state = tiny_state()
    state[name] = torch.full_like(state[name], torch.nan)
    data: bytes = save(state, metadata={CONFIG_KEY: json.dumps(tiny_config())})
    return data


@dataclass(frozen=True)
class Failing:
    code: JobErrorCode
    words: str
    params: dict[str, Any] = field(default_factory=dict)
    task: Task = Task.TXT2IMG
    checkpoint: Callable[[Cloud], AssetRef] | None = None


def broken_picture(words: str, data: bytes) -> Failing:
    return Failing(JobErrorCode.BAD_IMAGE, words, {"init_images": [as_text(data)]}, Task.IMG2IMG)


def broken_model(code: JobErrorCode, words: str, data: Callable[[], bytes]) -> Failing:
    return Failing(
        code, words, checkpoint=lambda cloud: cloud.put_asset(data(), name="broken.safetensors", asset_id="a2")
    )


FAILING: dict[str, Failing] = {
    "the picture is no picture": broken_picture("that are not a PNG/JPEG", b"not a picture"),
    "the picture is cut off": broken_picture("truncated or broken PNG", png()[:-900]),
    "the picture has 200 megapixels": broken_picture("too large", png_that_claims(20_000, 10_000)),
    "the picture is a bomb of 4 gigapixels": broken_picture("too large", png_that_claims(65_535, 65_535)),
    "the mask is no picture": Failing(
        JobErrorCode.BAD_IMAGE,
        "mask: received",
        {"init_images": [as_text(png())], "mask": as_text(b"not a mask")},
        Task.IMG2IMG,
    ),
    "the prompt cannot be read": Failing(JobErrorCode.INVALID_PARAMS, "prompt", {"prompt": "(a:1.2.3)"}),
    "the UNet answers with NaN": broken_model(
        JobErrorCode.NAN_LATENTS,
        "the UNet returned NaN at call 1",
        lambda: tiny_with_nan_in("model.diffusion_model.out.2.weight"),
    ),
    "the VAE decodes to NaN": broken_model(
        JobErrorCode.NAN_LATENTS,
        "the decoded picture contains NaN",
        lambda: tiny_with_nan_in("first_stage_model.decoder.conv_out.weight"),
    ),
    "the checkpoint is cut off": broken_model(
        JobErrorCode.ASSET_CORRUPT,
        "broken.safetensors",
        lambda: save(tiny_state(), metadata={CONFIG_KEY: json.dumps(tiny_config())})[:100_000],
    ),
    "the checkpoint is gone": Failing(
        JobErrorCode.ASSET_MISSING,
        "gone.safetensors",
        checkpoint=lambda cloud: cloud.put_asset(b"x", name="gone.safetensors", asset_id="a3").model_copy(
            update={"key": "assets/nowhere"}
        ),
    ),
}


@pytest.mark.parametrize("sentence", FAILING)
def test_a_job_fails_with_its_reason_and_the_next_one_draws_as_before(quick_bench: Bench, sentence: str) -> None:
    failing = FAILING[sentence]
    before = quick_bench.picture()

    answer = quick_bench.run(
        failing.params,
        task=failing.task,
        checkpoint=failing.checkpoint(quick_bench.cloud) if failing.checkpoint is not None else None,
    )

    assert isinstance(answer, JobFailure)
    assert answer.error.code is failing.code
    assert failing.words in answer.error.message
    assert quick_bench.picture() == before


def raises_a_bug_in_the_middle(task: TaskInput) -> TaskOutput:
    TASKS[Task.TXT2IMG](task)
    raise ZeroDivisionError("a bug")


def runs_out_of_memory_however_small(task: TaskInput) -> TaskOutput:
    TASKS[Task.TXT2IMG](task)
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


@pytest.mark.parametrize(
    ("runner", "code", "words"),
    [
        (raises_a_bug_in_the_middle, JobErrorCode.INTERNAL, "ZeroDivisionError: a bug"),
        (runs_out_of_memory_however_small, JobErrorCode.OUT_OF_MEMORY, "CUDA out of memory"),
    ],
)
def test_a_task_that_breaks_leaves_a_good_worker(
    bench: Bench, runner: TaskRunner, code: JobErrorCode, words: str
) -> None:
    before = bench.picture()

    bench.tasks[Task.TXT2IMG] = runner
    answer = bench.run({})
    bench.tasks[Task.TXT2IMG] = TASKS[Task.TXT2IMG]

    assert isinstance(answer, JobFailure)
    assert answer.error.code is code
    assert words in answer.error.message
    assert bench.picture() == before


def test_a_job_canceled_while_it_samples_stops_and_the_next_one_draws_as_before(quick_bench: Bench) -> None:
    before = quick_bench.picture()

    def canceled_at_every_step(task: TaskInput) -> TaskOutput:
        for _ in range(100):
            quick_bench.cloud.cancel("job-2")
            TASKS[Task.TXT2IMG](task)
        raise AssertionError("a hundred pictures were drawn and nobody heard that the job is canceled")

    quick_bench.tasks[Task.TXT2IMG] = canceled_at_every_step
    answer = quick_bench.run({"steps": 4})
    quick_bench.tasks[Task.TXT2IMG] = TASKS[Task.TXT2IMG]

    assert isinstance(answer, JobFailure)
    assert answer.error.code is JobErrorCode.CANCELED
    assert quick_bench.picture() == before


def test_a_job_that_fits_only_with_a_tiled_vae_is_drawn_and_the_next_one_is_not_tiled(bench: Bench) -> None:
    before = bench.picture(width=256)  # more than one of the VAE's tiles, which are 64 pixels wide
    tiled = []

    def fits_only_with_a_tiled_vae(task: TaskInput) -> TaskOutput:
        assert task.checkpoint is not None
        tiled.append(task.checkpoint.vae.use_tiling)
        if not task.checkpoint.vae.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 4.00 GiB.")
        return TASKS[Task.TXT2IMG](task)

    bench.tasks[Task.TXT2IMG] = fits_only_with_a_tiled_vae
    answer = bench.run({"width": 256})
    bench.tasks[Task.TXT2IMG] = TASKS[Task.TXT2IMG]

    assert isinstance(answer, JobResult)
    assert (answer.images[0].width, answer.images[0].height) == (256, 64)
    assert answer.timings[JobPhase.SAMPLING] > 0
    assert tiled == [False, True]
    assert bench.drawn(answer) != before
    assert bench.picture(width=256) == before


def test_a_task_without_a_checkpoint_is_not_tried_again(bench: Bench) -> None:
    calls = []

    def runs_out_of_memory(task: TaskInput) -> TaskOutput:
        calls.append(task)
        raise MemoryError

    bench.tasks[Task.TXT2IMG] = runs_out_of_memory
    bench.cloud.put_job("job-9", "queued")
    request = JobRequest(job_id="job-9", task=Task.TXT2IMG, params=PARAMS, output_prefix="jobs/job-9/output/")
    answer = bench.worker.answer(request.model_dump_json().encode())

    assert isinstance(answer, JobFailure)
    assert answer.error.code is JobErrorCode.OUT_OF_MEMORY
    assert len(calls) == 1
