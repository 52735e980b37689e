"""Runs one job at a time, from the request document to the result."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from generate_on_cloud.contract.errors import JobError, JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import (
    AssetRef,
    JobFailure,
    JobMetrics,
    JobRequest,
    JobResult,
    UsedModel,
)
from generate_on_cloud.contract.metrics import ContainerMetric
from inference_container.allocator import ALLOCATOR
from inference_container.asset_cache import AssetCache
from inference_container.elsewhere_pictures import with_pictures
from inference_container.heartbeat import Heartbeat
from inference_container.job_metrics import cost_metrics, gpu_memory_peak, metric_fields, result_metrics
from inference_container.job_outputs import JobOutputs
from inference_container.job_record import JobRecords
from inference_container.json_log import current_correlation, current_job, current_trace
from inference_container.live_preview import LivePreview
from inference_container.memory_errors import free_memory, is_out_of_memory, named_memory_errors
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.phase_clock import PhaseClock
from inference_container.preload import preload_checkpoint
from inference_container.progress import JobProgress
from inference_container.request_document import ids_of, read_params, read_request
from inference_container.task import TaskInput, TaskOutput, TaskRunner
from inference_container.telemetry import JobSpan, Telemetry
from inference_container.time_limit import TimeLimit

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)


class Worker:
    """Runs a process's jobs. Call `run` and `answer` from one thread; `stop` may be called from any thread."""

    def __init__(
        self,
        *,
        records: JobRecords,
        assets: AssetCache,
        models: ModelCache,
        tasks: Mapping[Task, TaskRunner],
        s3: "S3Client",
        jobs_bucket: str,
        heartbeat_seconds: float = 1.0,
        began: float | None = None,
        stack: str = "",
        gpu_price_per_hour: float = 0.0,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Build a worker.

        Args:
            began: when this process started, in epoch seconds; None: now.
            stack: value of the metrics' dimension `Stack`.
            gpu_price_per_hour: in US dollars; 0: unknown.
            telemetry: where spans and metrics go besides the log; None: nowhere.
        """
        self._records = records
        self._assets = assets
        self._models = models
        self._tasks = tasks
        self._s3 = s3
        self._jobs_bucket = jobs_bucket
        self._heartbeat_seconds = heartbeat_seconds
        self._began = time.time() if began is None else began
        self._stack = stack
        self._gpu_price_per_hour = gpu_price_per_hour
        self._telemetry = telemetry or Telemetry()
        self._stopping: str | None = None
        self._heartbeat: Heartbeat | None = None
        self._lock = threading.Lock()

    def answer(self, document: bytes, *, waited: float = 0.0) -> JobResult | JobFailure:
        """Run the job in `document`; any error becomes the job's failure with its real reason.

        `waited`: seconds since SageMaker sent the document; they count towards the run's time limit.
        """
        began = time.monotonic() - waited
        ids = ids_of(document)
        span = self._telemetry.begin(ids)
        noted = (
            current_job.set(ids.job_id),
            current_correlation.set(ids.correlation_id),
            current_trace.set(span.trace_id),
        )
        clock = PhaseClock(ended=span.phase_ended)
        try:
            request = read_request(document)
            limit = TimeLimit(request.run_timeout_s, began)
            with limit.exits_when_stuck():
                result = self.run(request, clock, limit)
            told = self._told(span, clock, result_metrics(result, gpu_memory_bytes=gpu_memory_peak()))
            log.info("job succeeded in %.3f s: %s", result.timings["total"], result.timings, extra=told)
        except JobFailed as failed:
            told = self._told(span, clock, error=failed.error.code)
            log.info("job failed: %s: %s", failed.error.code.value, failed.error.message, extra=told)
            return JobFailure(job_id=ids.job_id, error=failed.error, correlation_id=ids.correlation_id)
        except Exception as error:  # the outermost level: a failing job must not end the worker
            log.exception("job failed unexpectedly", extra=self._told(span, clock, error=JobErrorCode.INTERNAL))
            reason = f"{type(error).__name__}: {error}"
            error_told = JobError.of(JobErrorCode.INTERNAL, reason[:500])
            return JobFailure(job_id=ids.job_id, error=error_told, correlation_id=ids.correlation_id)
        finally:
            current_job.reset(noted[0])
            current_correlation.reset(noted[1])
            current_trace.reset(noted[2])
            ALLOCATOR.return_freed_memory()
        return result

    def _told(
        self,
        span: JobSpan,
        clock: PhaseClock,
        values: Mapping[ContainerMetric, float] | None = None,
        *,
        error: JobErrorCode | None = None,
    ) -> dict[str, object]:
        """End the job's span, and return the metrics for the log line about its end: `values`, and the cost since
        `clock` started."""
        seconds = clock.total
        metrics = {**(values or {}), **cost_metrics(seconds, price_per_hour=self._gpu_price_per_hour)}
        span.end(seconds, metrics, error)
        return {"metrics": metric_fields(metrics, stack=self._stack)}

    def run(self, request: JobRequest, clock: PhaseClock, limit: TimeLimit) -> JobResult:
        """Run the job from its claim to stored pictures; `clock` measures its phases, `limit` ends it in time.

        Raises:
            JobFailed: the job failed or was stopped; nothing of it stays in memory.
        """
        disk, memory = self._assets.use, self._models.use

        # 1. Check the request before anything is written or downloaded.
        params = read_params(request)
        run_task = self._tasks.get(request.task)
        if run_task is None:
            raise JobFailed(
                JobErrorCode.NOT_SUPPORTED_YET,
                f"task {request.task} is not supported yet; allowed: {', '.join(self._tasks)}",
            )

        # 2. Claim the job and send heartbeats from here on.
        with clock.phase(JobPhase.STARTING):
            queued_at = self._records.claim(request.job_id, check=partial(self._refuse_when_stopping, limit))
        if queued_at is not None and queued_at.timestamp() < self._began:
            # The job waited for an instance; users see this as "starting".
            clock.replace(JobPhase.STARTING, time.time() - queued_at.timestamp())
        with self._beating(request.job_id, limit) as heartbeat, named_memory_errors(self._models), ExitStack() as held:
            progress = JobProgress(report=heartbeat.report, clock=clock)
            outputs = JobOutputs(self._s3, bucket=self._jobs_bucket, prefix=request.output_prefix)

            # 3. Download the referenced pictures and the model files, which stay on the disk until the job is done.
            with progress.phase(JobPhase.FETCHING_MODELS):
                if request.pictures:
                    params = read_params(
                        with_pictures(request, s3=self._s3, bucket=self._jobs_bucket, check=heartbeat.check)
                    )
                files = held.enter_context(self._assets.borrow(_wanted(request), check=heartbeat.check))

            # 4. Load the models.
            self._models.begin_job()
            with progress.phase(JobPhase.LOADING_MODELS):
                checkpoint = None if request.checkpoint is None else self._models.checkpoint(files[0])

            # 5. Run the task; whenever it reports, it also checks for cancellation.
            heartbeat.enter(JobPhase.ENCODING)
            preview = held.enter_context(self._previewing(outputs, heartbeat)).offer if request.preview else None
            task = TaskInput(
                params=params,
                checkpoint=checkpoint,
                report=heartbeat.report,
                skips=lambda: heartbeat.skips,
                clock=clock,
                preview=preview,
                files=JobFiles(files),
                models=self._models,
            )
            output = self._draw(run_task, task)

            # 6. Store the pictures.
            with progress.phase(JobPhase.SAVING):
                images = [outputs.store(image, number) for number, image in enumerate(output.images)]
                thumbnail = bool(output.images) and outputs.store_thumbnail(output.images[0])

        # 7. Return the results, seeds and timings.
        return JobResult(
            job_id=request.job_id,
            task=request.task,
            images=images,
            thumbnail=thumbnail,
            info=output.info,
            parameters=output.parameters,
            caption=output.caption,
            scores=output.scores,
            warnings=list(output.warnings),
            models=[UsedModel(type=file.type, name=file.name, sha256=file.sha256) for file in files],
            timings=clock.timings,
            metrics=JobMetrics(disk=self._assets.use.since(disk), memory=self._models.use.since(memory)),
            correlation_id=request.correlation_id,
        )

    def preload(self, key: str) -> None:
        """Load the checkpoint with this key in the assets bucket before the first job; call from the jobs' thread."""
        preload_checkpoint(key, assets=self._assets, models=self._models, check=self._refuse_when_stopping)

    def stop(self, reason: str) -> None:
        """Stop the running job, if any, at its next step with WORKER_LOST and this reason; refuse all later jobs."""
        with self._lock:
            self._stopping = reason
            if self._heartbeat is not None:
                self._heartbeat.stop_job(JobErrorCode.WORKER_LOST, reason)

    def _refuse_when_stopping(self, limit: TimeLimit | None = None) -> None:
        if self._stopping is not None:
            raise JobFailed(JobErrorCode.WORKER_LOST, self._stopping)
        if limit is not None:
            limit.check()

    @contextmanager
    def _beating(self, job_id: str, limit: TimeLimit) -> Iterator[Heartbeat]:
        with Heartbeat(self._records, job_id, seconds=self._heartbeat_seconds, limit=limit) as heartbeat:
            with self._lock:
                self._heartbeat = heartbeat
                if self._stopping is not None:
                    heartbeat.stop_job(JobErrorCode.WORKER_LOST, self._stopping)
            try:
                yield heartbeat
            finally:
                with self._lock:
                    self._heartbeat = None

    def _previewing(self, outputs: JobOutputs, heartbeat: Heartbeat) -> LivePreview:
        return LivePreview(outputs.store_preview, stored=heartbeat.note_preview, seconds=self._heartbeat_seconds)

    def _draw(self, run_task: TaskRunner, task: TaskInput) -> TaskOutput:
        """Run the task; if memory runs out, retry once with an empty model cache and a tiled VAE."""
        try:
            return run_task(task)
        except (MemoryError, RuntimeError) as error:
            if task.checkpoint is None or not is_out_of_memory(error):
                raise
            log.warning("out of memory, trying once more with a tiled VAE: %s", error)
            free_memory(self._models, error)
        # The cache no longer holds this model, so it is freed with the job and the next job is not drawn in tiles.
        task.checkpoint.vae.enable_tiling()
        return run_task(task)


def _wanted(request: JobRequest) -> list[AssetRef]:
    """All files that the job needs, the checkpoint first."""
    return [*([request.checkpoint] if request.checkpoint is not None else []), *request.assets]
