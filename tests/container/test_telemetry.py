"""Spans and metrics of jobs as a collector gets them; nothing is imported where there is no collector."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.metrics import ContainerMetric
from inference_container.assembly import make_telemetry
from inference_container.asset_cache import AssetCache
from inference_container.json_log import current_trace
from inference_container.models.model_cache import ModelCache
from inference_container.otlp import OtlpTelemetry
from inference_container.request_document import Ids
from inference_container.task import TaskInput, TaskOutput, TaskRunner, load_nothing
from inference_container.telemetry import JobSpan, Telemetry
from inference_container.worker import Worker
from tests.container.conftest import ASSETS_BUCKET, JOBS_BUCKET, Cloud
from tests.otlp_receiver import Collector, open_collector

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IDS = Ids("j1", "order-17", f"00-{TRACE}-{SPAN}-01", "txt2img")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with open_collector() as opened:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", opened.url)
        yield opened


def test_a_job_is_a_span_of_its_requests_trace_with_a_span_for_each_phase(collector: Collector) -> None:
    telemetry = OtlpTelemetry(stack="GenerateOnCloud")

    span = telemetry.begin(IDS)
    span.phase_ended(JobPhase.LOADING_MODELS, 2.0)
    span.phase_ended(JobPhase.SAMPLING, 0.5)
    span.end(3.0, {ContainerMetric.JOB_COST_USD: 0.25, ContainerMetric.GPU_MEMORY_BYTES: 4096.0})
    telemetry.close()

    (job,) = collector.named("job txt2img")
    phases = {one.name: round(one.seconds, 3) for one in collector.spans if one.parent_id == job.span_id}
    assert (job.trace_id, job.parent_id, job.service) == (TRACE, SPAN, "generate-on-cloud-container")
    assert job.attributes == {
        "generate_on_cloud.job_id": "j1",
        "generate_on_cloud.correlation_id": "order-17",
        "generate_on_cloud.task": "txt2img",
    }
    assert phases == {"loading_models": 2.0, "sampling": 0.5}
    assert not job.failed
    assert collector.metrics == {
        "generate_on_cloud.jobs": 1,
        "generate_on_cloud.job.duration": 1,
        "generate_on_cloud.job_cost_usd": 0.25,
        "generate_on_cloud.gpu_memory_bytes": 4096,
    }


def test_a_failed_job_has_its_code(collector: Collector) -> None:
    telemetry = OtlpTelemetry(stack="")

    telemetry.begin(IDS).end(1.0, {}, JobErrorCode.BAD_IMAGE)
    telemetry.close()

    (job,) = collector.named("job txt2img")
    assert job.failed
    assert job.attributes["error.type"] == "bad_image"


def test_a_job_without_a_context_begins_a_trace_and_its_log_lines_know_it(collector: Collector) -> None:
    telemetry = OtlpTelemetry(stack="")

    span = telemetry.begin(Ids("j2", task="img2img"))
    span.end(1.0, {})
    telemetry.close()

    (job,) = collector.named("job img2img")
    assert (job.parent_id, job.trace_id) == ("", span.trace_id)


def test_without_an_endpoint_nothing_is_recorded_and_the_trace_is_still_known() -> None:
    telemetry = make_telemetry("", stack="")

    assert type(telemetry) is Telemetry
    assert telemetry.begin(IDS).trace_id == TRACE
    assert telemetry.begin(Ids("j1", traceparent="nonsense")).trace_id is None


def test_opentelemetry_is_not_imported_by_a_worker_without_an_endpoint() -> None:
    code = "import sys, inference_container.assembly; print(any('opentelemetry' in name for name in sys.modules))"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"


class Told(Telemetry):
    """Keeps what the worker tells of its jobs."""

    def __init__(self) -> None:
        self.begun: list[Ids] = []
        self.phases: list[JobPhase] = []
        self.ends: list[tuple[set[ContainerMetric], JobErrorCode | None]] = []

    def begin(self, ids: Ids) -> JobSpan:
        self.begun.append(ids)
        return Noting(self, ids)


class Noting(JobSpan):
    def __init__(self, told: Told, ids: Ids) -> None:
        super().__init__(ids)
        self.told = told

    def phase_ended(self, phase: JobPhase, seconds: float) -> None:
        self.told.phases.append(phase)

    def end(self, seconds: float, metrics: Mapping[ContainerMetric, float], error: JobErrorCode | None = None) -> None:
        self.told.ends.append((set(metrics), error))


def worker(cloud: Cloud, directory: Path, told: Told, task: TaskRunner) -> Worker:
    assets = AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=directory, max_bytes=10**6)
    return Worker(
        records=cloud.records(),
        assets=assets,
        models=ModelCache(max_bytes=0, load=load_nothing),
        tasks={Task.EXTRA_SINGLE_IMAGE: task},
        s3=cloud.s3,
        jobs_bucket=JOBS_BUCKET,
        heartbeat_seconds=0.01,
        gpu_price_per_hour=3.6,
        telemetry=told,
    )


@pytest.mark.parametrize("code", [None, JobErrorCode.BAD_IMAGE])
def test_a_worker_tells_of_a_jobs_context_phases_metrics_and_end(
    cloud: Cloud, tmp_path: Path, code: JobErrorCode | None
) -> None:
    told, seen = Told(), list[str | None]()

    def look(task: TaskInput) -> TaskOutput:
        seen.append(current_trace.get())
        if code is not None:
            raise JobFailed(code, "a PDF")
        return TaskOutput()

    cloud.put_job("j1", "queued")
    request = JobRequest(
        job_id="j1",
        task=Task.EXTRA_SINGLE_IMAGE,
        params={"image": "eA=="},
        correlation_id="order-17",
        traceparent=f"00-{TRACE}-{SPAN}-01",
        output_prefix="jobs/j1/output/",
    )
    worker(cloud, tmp_path, told, look).answer(request.model_dump_json().encode())

    assert told.begun == [Ids("j1", "order-17", f"00-{TRACE}-{SPAN}-01", "extra_single_image")]
    assert {JobPhase.STARTING, JobPhase.LOADING_MODELS} <= set(told.phases)
    assert (JobPhase.SAVING in told.phases) == (code is None)
    ((metrics, error),) = told.ends
    assert ContainerMetric.JOB_COST_USD in metrics
    assert error is code
    assert seen == [TRACE]
    assert current_trace.get() is None
