"""Rows that only a whole system shows: drawing, stopping, what is cached, traced, logged and served."""

from pathlib import Path

import httpx
import pytest
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.webui.png_info import png_info
from local_cloud.cloud import LocalCloud
from tests.e2e.requests import SIZE, base64_png, endless, img2img, picture, txt2img, until
from tests.features.conftest import CHECKPOINT
from tests.otlp_receiver import Collector
from tests.patience import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("features")]

ROOT = Path(__file__).resolve().parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def job(task: Task, params: dict[str, object], **more: object) -> CreateJob:
    return CreateJob.model_validate({"task": task, "params": params, "checkpoint": CHECKPOINT, **more})


def test_rows_04_05_and_06_a_job_shows_steps_and_pictures_and_stops_where_it_is(service: GenerateOnCloud) -> None:
    sent = service.jobs.submit(job(Task.TXT2IMG, endless(), preview=True))
    running = until(service, sent.job_id, sampling=True)
    wait_for(lambda: service.jobs.get(sent.job_id).preview_url is not None, "a preview", seconds=60)

    service.jobs.cancel(sent.job_id)
    ended = list(service.jobs.watch(sent.job_id))[-1]

    assert running.progress is not None
    assert 0 < running.progress.fraction < 1
    assert ended.status is JobStatus.CANCELED
    assert ended.progress is not None
    assert 0 < ended.progress.step < ended.progress.steps


def test_rows_40_36_and_43_pictures_come_back_with_their_infotext_and_the_second_job_loads_nothing(
    service: GenerateOnCloud, tmp_path: Path
) -> None:
    first = service.jobs.finish(service.jobs.submit(job(Task.TXT2IMG, txt2img())).job_id)
    masked = img2img(mask=base64_png(Image.new("L", (SIZE, SIZE), 255)), inpainting_fill=2)
    second = service.jobs.finish(service.jobs.submit(job(Task.IMG2IMG, masked)).job_id)
    (file,) = service.jobs.save(first, tmp_path)

    assert first.result is not None
    assert second.result is not None
    info = png_info(file.read_bytes())
    assert (info.prompt, info.parameters["Seed"]) == ("the red cat", "5")
    assert second.result.metrics.memory.misses == 0
    assert second.cost_usd is not None


def test_row_41_several_pictures_are_enlarged_in_one_job_also_those_that_were_uploaded(
    service: GenerateOnCloud,
) -> None:
    uploaded = service.jobs.upload(_png())
    rows = [{"data": base64_png(picture(size=24)), "name": "a"}, {"data": uploaded, "name": "b"}]
    params: dict[str, object] = {"imageList": rows, "upscaler_1": "Lanczos", "upscaling_resize": 2}

    done = service.jobs.finish(service.jobs.submit(job(Task.EXTRA_BATCH_IMAGES, params, checkpoint=None)).job_id)

    assert done.result is not None
    assert [(image.width, image.height) for image in done.result.images] == [(48, 48), (2 * SIZE, 2 * SIZE)]


def test_row_49_api_and_container_record_request_and_run_in_the_trace_of_the_caller(
    service: GenerateOnCloud, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{TRACE}-{SPAN}-01")

    done = service.jobs.finish(service.jobs.submit(job(Task.TXT2IMG, txt2img())).job_id)

    def runs() -> list[str]:
        return [span.span_id for span in collector.named("job txt2img") if span.trace_id == TRACE]

    wait_for(lambda: bool(runs()), "the run's span arrives", seconds=60)
    phases = {span.name for span in collector.spans if span.parent_id in runs()}
    (request,) = [span for span in collector.named("POST /v1/jobs") if span.trace_id == TRACE]
    assert done.traceparent == f"00-{TRACE}-{request.span_id}-01"
    assert {span.parent_id for span in collector.named("job txt2img") if span.trace_id == TRACE} == {request.span_id}
    assert {"loading_models", "sampling", "saving"} <= phases


def test_row_52_the_logs_of_functions_and_the_audit_log_are_files(
    service: GenerateOnCloud, local_cloud: LocalCloud
) -> None:
    job_id = service.jobs.submit(job(Task.TXT2IMG, txt2img())).job_id
    logs = local_cloud.settings.log_dir

    def lines() -> list[str]:
        return [line for file in logs.glob("function-*.log") for line in file.read_text().splitlines()]

    wait_for(lambda: any("job.created" in line and job_id in line for line in lines()), "the audit line", seconds=30)
    service.jobs.finish(job_id)


def test_rows_53_and_55_the_contract_and_the_console_are_served(local_cloud: LocalCloud) -> None:
    root = local_cloud.endpoint_url

    document = httpx.get(f"{local_cloud.api_url}/v1/openapi.json", timeout=30)
    console = httpx.get(f"{root}/", timeout=30)

    assert document.json()["openapi"].startswith("3.")
    built = (ROOT / "build/console/site/index.html").exists()
    assert ("The console is not built" in console.text) is not built
    assert ("<script" in console.text) is built


def _png() -> bytes:
    import base64

    return base64.b64decode(base64_png(picture()))
