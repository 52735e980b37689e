"""The worker's line: one good job, the ways a job can end badly, and that the next one works."""

import io
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from generate_on_cloud.contract import CONTRACT_VERSION, task_params
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import (
    AssetRef,
    CacheUse,
    JobFailure,
    JobMetrics,
    JobRequest,
    JobResult,
    Progress,
)
from inference_container.asset_cache import AssetCache
from inference_container.json_log import JsonFormatter
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.pictures.encoding import encode_picture
from inference_container.task import EncodedImage, TaskInput, TaskOutput, TaskRunner
from inference_container.time_limit import TimeLimit
from inference_container.worker import Worker
from tests.container.conftest import ASSETS_BUCKET, JOBS_BUCKET, Cloud
from tests.patience import wait_for

LOADED: dict[str, Checkpoint] = {}


def load_once(file: ModelFile) -> Checkpoint:
    """The real loader, but one reading serves all tests of this module."""
    if file.sha256 not in LOADED:
        LOADED[file.sha256] = load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)
    return LOADED[file.sha256]


def paint(task: TaskInput) -> TaskOutput:
    """A task that makes two pictures of the checkpoint's own weights."""
    assert task.checkpoint is not None
    level = int(next(task.checkpoint.unet.parameters()).abs().sum()) % 256
    task.report(Progress(phase=JobPhase.SAMPLING, step=1, steps=1))
    task.clock.replace(JobPhase.SAMPLING, 0.5)
    task.clock.replace(JobPhase.SAVING, 1000)
    data = encode_picture(Image.new("RGB", (8, 6), (level, 0, 0)), infotext="a cat")
    images = tuple(EncodedImage(data, "png", 8, 6, seed, "a cat") for seed in (7, 8))
    return TaskOutput(images, {"seed": 7}, {"steps": 20}, warnings=("a layer was left out",))


def raise_a_bug(task: TaskInput) -> TaskOutput:
    raise KeyError("latents")


def run_out_of_memory(task: TaskInput) -> TaskOutput:
    torch.empty(2**60, dtype=torch.uint8)
    raise AssertionError("this machine has an exabyte of memory")


def raise_memory_error(task: TaskInput) -> TaskOutput:
    raise MemoryError


def refuse_the_picture(task: TaskInput) -> TaskOutput:
    raise JobFailed(JobErrorCode.BAD_IMAGE, "init_images[0]: received an empty picture")


class Studio:
    """A worker with a table of tasks, and jobs in its tables."""

    def __init__(self, cloud: Cloud, directory: Path, tiny: bytes) -> None:
        self.cloud = cloud
        self.tiny = cloud.put_asset(tiny, name="tiny.safetensors")
        self.models = ModelCache(max_bytes=10**9, load=load_once)
        self.assets = AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=directory, max_bytes=10**8)
        self.number = 0
        self.worker = self.with_task(paint)

    def with_task(self, runner: TaskRunner, *, gpu_price_per_hour: float = 0.0) -> Worker:
        tasks: Mapping[Task, TaskRunner] = {Task.TXT2IMG: runner}
        self.worker = Worker(
            records=self.cloud.records(),
            assets=self.assets,
            models=self.models,
            tasks=tasks,
            s3=self.cloud.s3,
            jobs_bucket=JOBS_BUCKET,
            heartbeat_seconds=0.01,
            gpu_price_per_hour=gpu_price_per_hour,
        )
        return self.worker

    def request(self, *, checkpoint: AssetRef | None = None, status: str = "queued", **params: Any) -> JobRequest:
        self.number += 1
        job_id = f"job-{self.number}"
        self.cloud.put_job(job_id, status)
        return JobRequest(
            job_id=job_id,
            task=Task.TXT2IMG,
            params={"prompt": "a cat", **params},
            checkpoint=checkpoint or self.tiny,
            output_prefix=f"jobs/{job_id}/output/",
        )

    def answer(self, request: JobRequest) -> JobResult | JobFailure:
        return self.worker.answer(request.model_dump_json().encode())

    def failure(self, request: JobRequest) -> JobFailure:
        answer = self.answer(request)
        assert isinstance(answer, JobFailure)
        assert answer.job_id == request.job_id
        assert self.cloud.output_keys() == []
        return answer

    def assert_next_job_works(self) -> None:
        self.with_task(paint)
        assert isinstance(self.answer(self.request()), JobResult)


@pytest.fixture
def studio(cloud: Cloud, tmp_path: Path, tiny_checkpoint_bytes: bytes) -> Studio:
    return Studio(cloud, tmp_path, tiny_checkpoint_bytes)


def test_a_job_gives_stored_pictures_models_and_timings_of_every_phase(studio: Studio) -> None:
    request = studio.request()

    result = studio.answer(request)

    assert isinstance(result, JobResult)
    assert [image.key for image in result.images] == ["jobs/job-1/output/0.png", "jobs/job-1/output/1.png"]
    assert [image.seed for image in result.images] == [7, 8]
    assert (result.info, result.parameters) == ({"seed": 7}, {"steps": 20})
    assert result.warnings == ["a layer was left out"]
    assert [(model.name, model.sha256) for model in result.models] == [("tiny.safetensors", studio.tiny.sha256)]
    assert set(result.timings) == {"starting", "fetching_models", "loading_models", "sampling", "saving", "total"}
    assert result.timings["sampling"] == 0.5
    assert result.timings["saving"] > 1000
    stored = studio.cloud.s3.get_object(Bucket=JOBS_BUCKET, Key="jobs/job-1/output/1.png")
    assert stored["ContentType"] == "image/png"
    assert len(stored["Body"].read()) == result.images[1].bytes
    thumbnail = studio.cloud.s3.get_object(Bucket=JOBS_BUCKET, Key="jobs/job-1/output/thumbnail.webp")
    assert result.thumbnail
    assert thumbnail["ContentType"] == "image/webp"
    assert Image.open(io.BytesIO(thumbnail["Body"].read())).size == (8, 6)


def test_a_picture_that_cannot_be_made_small_fails_no_job(studio: Studio) -> None:
    def unreadable(task: TaskInput) -> TaskOutput:
        return TaskOutput((EncodedImage(b"not a picture", "png", 8, 6, 7, "a cat"),))

    studio.with_task(unreadable)

    result = studio.answer(studio.request())

    assert isinstance(result, JobResult)
    assert (len(result.images), result.thumbnail) == (1, False)
    assert studio.cloud.output_keys() == ["jobs/job-1/output/0.png"]


def test_timings_count_the_attempt_that_ran_out_of_memory_too(studio: Studio) -> None:
    attempts = []

    def fits_at_the_second_attempt(task: TaskInput) -> TaskOutput:
        assert task.checkpoint is not None
        attempts.append(task.checkpoint.vae.use_tiling)
        if len(attempts) == 1:
            with task.clock.phase(JobPhase.DECODING):
                raise MemoryError
        task.checkpoint.vae.disable_tiling()
        return paint(task)

    studio.with_task(fits_at_the_second_attempt)

    result = studio.answer(studio.request())

    assert isinstance(result, JobResult)
    assert attempts == [False, True]
    assert result.timings["decoding"] > 0


def test_a_picture_that_is_only_named_is_there_when_the_task_begins(studio: Studio) -> None:
    seen = []

    def look(task: TaskInput) -> TaskOutput:
        seen.append(getattr(task.params, "firstpass_image", None))
        return paint(task)

    studio.with_task(look)
    studio.cloud.s3.put_object(Bucket=JOBS_BUCKET, Key="jobs/job-1/input/0", Body=b"picture")
    request = studio.request(firstpass_image="named").model_copy(
        update={"pictures": {"/firstpass_image": "jobs/job-1/input/0"}}
    )

    result = studio.answer(request)

    assert isinstance(result, JobResult)
    assert seen == ["cGljdHVyZQ=="]


def test_a_finished_job_stays_running_because_ending_it_is_not_the_containers(studio: Studio) -> None:
    request = studio.request()

    studio.answer(request)

    assert studio.cloud.job(request.job_id)["status"] == {"S": "running"}


def test_a_second_job_on_the_same_checkpoint_loads_nothing(studio: Studio) -> None:
    cold, warm = studio.answer(studio.request()), studio.answer(studio.request())

    assert isinstance(cold, JobResult)
    assert isinstance(warm, JobResult)
    held = studio.models.bytes
    assert (cold.metrics.disk.misses, cold.metrics.disk.bytes) == (1, studio.tiny.size)
    assert (cold.metrics.memory.misses, cold.metrics.memory.bytes) == (1, held)
    assert min(cold.metrics.disk.seconds, cold.metrics.memory.seconds) > 0
    assert warm.metrics == JobMetrics(disk=CacheUse(hits=1), memory=CacheUse(hits=1))


def test_a_task_that_raises_is_an_internal_failure_with_its_reason_and_a_logged_traceback(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    studio.with_task(raise_a_bug)

    failure = studio.failure(studio.request())

    assert (failure.error.code, failure.error.message) == (JobErrorCode.INTERNAL, "KeyError: 'latents'")
    assert any(record.exc_info for record in caplog.records)
    studio.assert_next_job_works()


@pytest.mark.parametrize("task", [run_out_of_memory, raise_memory_error])
def test_a_task_that_runs_out_of_memory_says_so_and_frees_the_models(studio: Studio, task: TaskRunner) -> None:
    studio.with_task(task)

    failure = studio.failure(studio.request())

    assert failure.error.code is JobErrorCode.OUT_OF_MEMORY
    assert failure.error.retryable
    assert studio.models.bytes == 0
    studio.assert_next_job_works()


def test_a_task_that_refuses_its_picture_keeps_its_own_words_and_the_models(studio: Studio) -> None:
    studio.with_task(refuse_the_picture)

    failure = studio.failure(studio.request())

    assert failure.error.code is JobErrorCode.BAD_IMAGE
    assert failure.error.message == "init_images[0]: received an empty picture"
    assert studio.models.bytes > 0
    studio.assert_next_job_works()


def until_stopped(order: Callable[[], None]) -> TaskRunner:
    """A task that goes on sampling until it is stopped, which `order` asks for at every step.

    At every step, because the tables in memory are not as safe between threads as the real ones.
    """

    def sample(task: TaskInput) -> TaskOutput:
        def step() -> bool:
            order()
            task.report(Progress(phase=JobPhase.SAMPLING, step=1, steps=100))
            return False

        wait_for(step, "the order to stop", every=0.005)
        return paint(task)

    return sample


def test_a_task_that_is_canceled_stops_at_a_step(studio: Studio) -> None:
    request = studio.request()
    studio.with_task(until_stopped(lambda: studio.cloud.cancel(request.job_id)))

    failure = studio.failure(request)

    assert failure.error.code is JobErrorCode.CANCELED
    studio.assert_next_job_works()


def test_a_container_that_stops_ends_the_running_job_as_lost_and_refuses_the_next(studio: Studio) -> None:
    studio.with_task(until_stopped(lambda: studio.worker.stop("the container was stopped")))

    failure = studio.failure(studio.request())
    later = studio.request()

    assert (failure.error.code, failure.error.message) == (JobErrorCode.WORKER_LOST, "the container was stopped")
    assert failure.error.retryable
    assert studio.failure(later).error.code is JobErrorCode.WORKER_LOST
    assert studio.cloud.job(later.job_id)["status"] == {"S": "queued"}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_preview_is_stored_beside_the_pictures_when_it_was_asked_for(studio: Studio, wanted: bool) -> None:
    def paint_with_preview(task: TaskInput) -> TaskOutput:
        assert (task.preview is not None) is wanted
        if task.preview is not None:
            task.preview(lambda: b"a jpeg")
            wait_for(lambda: "jobs/job-1/output/preview.jpg" in studio.cloud.output_keys(), "a stored preview")
        return paint(task)

    studio.with_task(paint_with_preview)
    request = studio.request().model_copy(update={"preview": wanted})

    assert isinstance(studio.answer(request), JobResult)
    assert ("jobs/job-1/output/preview.jpg" in studio.cloud.output_keys()) is wanted


def test_a_job_canceled_before_its_turn_is_answered_without_work(studio: Studio) -> None:
    failure = studio.failure(studio.request(status="canceled"))

    assert failure.error.code is JobErrorCode.CANCELED
    assert studio.models.misses == 0


def test_a_missing_checkpoint_is_named(studio: Studio) -> None:
    missing = studio.tiny.model_copy(update={"key": "assets/none/gone.safetensors", "name": "gone.safetensors"})

    failure = studio.failure(studio.request(checkpoint=missing))

    assert failure.error.code is JobErrorCode.ASSET_MISSING
    assert "gone.safetensors" in failure.error.message
    studio.assert_next_job_works()


def test_a_checkpoint_that_is_no_model_is_corrupt_or_incompatible(studio: Studio) -> None:
    junk = studio.cloud.put_asset(b"not a model at all", name="junk.safetensors", asset_id="a9")

    failure = studio.failure(studio.request(checkpoint=junk))

    assert failure.error.code in {JobErrorCode.ASSET_CORRUPT, JobErrorCode.ASSET_INCOMPATIBLE}
    studio.assert_next_job_works()


def test_pictures_that_cannot_be_stored_fail_the_job(studio: Studio) -> None:
    request = studio.request()
    studio.cloud.s3.delete_bucket(Bucket=JOBS_BUCKET)

    answer = studio.answer(request)

    assert isinstance(answer, JobFailure)
    assert "picture jobs/job-1/output/0.png could not be stored" in answer.error.message


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"steps": 0}, JobErrorCode.INVALID_PARAMS, "steps: Input should be greater than or equal to 1 (received 0)"),
        ({"stepz": 3}, JobErrorCode.INVALID_PARAMS, "stepz"),
        ({"sampler_name": "Foo"}, JobErrorCode.INVALID_PARAMS, "unknown sampler 'Foo'"),
    ],
)
def test_params_that_cannot_be_honoured_are_refused_before_the_job_is_claimed(
    studio: Studio, params: dict[str, Any], code: JobErrorCode, words: str
) -> None:
    request = studio.request(**params)

    failure = studio.failure(request)

    assert failure.error.code is code
    assert words in failure.error.message
    assert studio.cloud.job(request.job_id)["status"] == {"S": "queued"}


def test_what_is_not_supported_yet_is_refused_before_the_job_is_claimed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_params, "FIELDS_NOT_SUPPORTED_YET", {"restore_faces"})
    request = studio.request(restore_faces=True)

    failure = studio.failure(request)

    assert failure.error.code is JobErrorCode.NOT_SUPPORTED_YET
    assert failure.error.message == "restore_faces = True is not supported yet"
    assert studio.cloud.job(request.job_id)["status"] == {"S": "queued"}


def test_a_task_that_is_not_in_the_table_is_not_supported_yet(studio: Studio) -> None:
    request = studio.request().model_copy(update={"task": Task.INTERROGATE_CLIP, "params": {"image": "aGk="}})

    failure = studio.failure(request)

    assert failure.error.code is JobErrorCode.NOT_SUPPORTED_YET
    assert "allowed: txt2img" in failure.error.message


def test_a_request_of_a_newer_contract_is_refused_even_if_it_has_unknown_fields(studio: Studio) -> None:
    document = {"contract_version": CONTRACT_VERSION + 1, "job_id": "j9", "novelty": True}

    answer = studio.worker.answer(json.dumps(document).encode())

    assert isinstance(answer, JobFailure)
    assert (answer.job_id, answer.error.code) == ("j9", JobErrorCode.CONTRACT_MISMATCH)
    assert f"contract version {CONTRACT_VERSION + 1}" in answer.error.message


def test_log_lines_and_answers_of_a_job_have_the_id_of_its_api_request(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inference_container.worker")
    caplog.handler.setFormatter(JsonFormatter())
    good = studio.request().model_copy(update={"correlation_id": "order-17"})
    bad = good.model_copy(update={"params": {"steps": -1}})

    answers = [studio.answer(good), studio.answer(bad)]

    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert {(line["job_id"], line["correlation_id"]) for line in lines} == {(good.job_id, "order-17")}
    assert [type(answer) for answer in answers] == [JobResult, JobFailure]
    (told,) = [line for line in lines if "_aws" in line]
    (metrics,) = told["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["Stack"]]
    assert {each["Name"] for each in metrics["Metrics"]} <= told.keys()
    assert (told["DiskCacheMisses"], told["ModelCacheMisses"], told["ColdStarts"]) == (1, 1, 0)
    assert [answer.correlation_id for answer in answers] == ["order-17", "order-17"]


@pytest.mark.parametrize(("price", "told"), [(7200.0, 2), (0.0, 0)])
def test_every_job_tells_its_cost_where_the_price_is_known_and_nothing_elsewhere(
    studio: Studio, caplog: pytest.LogCaptureFixture, price: float, told: int
) -> None:
    caplog.set_level(logging.INFO, "inference_container.worker")
    caplog.handler.setFormatter(JsonFormatter())
    studio.with_task(paint, gpu_price_per_hour=price)
    good = studio.request()

    answers = [studio.answer(good), studio.answer(good.model_copy(update={"params": {"steps": -1}}))]

    costs = [line["JobCostUsd"] for line in map(json.loads, caplog.text.splitlines()) if "JobCostUsd" in line]
    assert [type(answer) for answer in answers] == [JobResult, JobFailure]
    assert len(costs) == told
    if isinstance(answers[0], JobResult) and costs:
        # Two dollars a second, of which the log line is a moment later than the result.
        assert costs[0] >= 2 * answers[0].timings["total"]


@pytest.mark.parametrize(
    "document",
    [b"", b"\xff\xfe", b"[]", b"null", b"{}", b'{"job_id": 5}', b'{"job_id": "j", "task": "paint"}', b"[" * 100_000],
)
def test_a_document_that_is_no_request_is_invalid_and_the_worker_lives_on(studio: Studio, document: bytes) -> None:
    answer = studio.worker.answer(document)

    assert isinstance(answer, JobFailure)
    assert answer.error.code is JobErrorCode.INVALID_PARAMS
    studio.assert_next_job_works()


def test_a_long_received_value_is_cut_short_in_the_reason(studio: Studio) -> None:
    failure = studio.failure(studio.request(steps="A" * 100_000))

    assert len(failure.error.message) < 400


def test_a_job_that_waited_for_the_instance_tells_how_long_and_the_next_did_not_wait(studio: Studio) -> None:
    waited, followed = studio.request(), studio.request()
    studio.cloud.put_job(waited.job_id, "queued", queued_at={"S": "2026-01-01T00:00:00.000000Z"})
    studio.cloud.put_job(followed.job_id, "queued", queued_at={"S": "2999-01-01T00:00:00.000000Z"})

    cold, warm = studio.answer(waited), studio.answer(followed)

    assert isinstance(cold, JobResult)
    assert isinstance(warm, JobResult)
    assert cold.timings[JobPhase.STARTING] > 86_400
    assert warm.timings[JobPhase.STARTING] < 60


def test_a_run_ends_itself_shortly_before_its_limit_and_the_worker_lives_on(studio: Studio) -> None:
    """The reports of `paint_for_ever` are the only place where it can be stopped."""
    reports = 0

    def paint_for_ever(task: TaskInput) -> TaskOutput:
        nonlocal reports
        while True:
            task.report(Progress(phase=JobPhase.SAMPLING, step=reports, steps=10**9))
            reports += 1
            assert time.monotonic() < began + 20

    studio.with_task(paint_for_ever)
    request = studio.request().model_copy(update={"run_timeout_s": 1})
    began = time.monotonic()

    failure = studio.failure(request)

    assert time.monotonic() - began < 20
    assert reports > 0
    assert failure.error.code is JobErrorCode.TIMED_OUT
    assert failure.error.message == "the run was ended after 1 s, which is its limit (run_timeout_s)"
    studio.assert_next_job_works()


def test_the_time_a_request_waited_in_the_container_counts(studio: Studio) -> None:
    request = studio.request().model_copy(update={"run_timeout_s": 900})

    answer = studio.worker.answer(request.model_dump_json().encode(), waited=896.0)

    assert isinstance(answer, JobFailure)
    assert answer.error.code is JobErrorCode.TIMED_OUT
    assert studio.cloud.job(request.job_id)["status"] == {"S": "queued"}


@pytest.mark.parametrize(("seconds", "ends_after"), [(1, 0.9), (50, 45.0), (900, 895.0), (3600, 3595.0)])
def test_a_run_ends_five_seconds_or_a_tenth_of_its_limit_before_sagemaker_would_cut_it(
    seconds: int, ends_after: float
) -> None:
    now = [100.0]
    limit = TimeLimit(seconds, began=100.0, clock=lambda: now[0])

    now[0] += ends_after - 0.01
    limit.check()
    now[0] += 0.02
    with pytest.raises(JobFailed):
        limit.check()


def test_a_request_without_a_limit_may_take_for_ever() -> None:
    TimeLimit(None, began=0.0, clock=lambda: 1e9).check()
