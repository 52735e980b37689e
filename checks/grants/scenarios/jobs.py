"""Scenarios of jobs that reach their worker."""

import base64
import io
from itertools import chain, combinations
from urllib.parse import urlencode

from checks.grants.scenarios.visit import Visit
from generate_on_cloud.contract.errors import JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import endless, img2img, picture, txt2img, until
from tests.tiny_checkpoint import write_tiny_checkpoint


def run_a_job(visit: Visit) -> None:
    job = visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=img2img(), checkpoint=CHECKPOINT))
    done = visit.service.jobs.finish(job.job_id)
    visit.service.jobs.save(done, visit.folder)
    visit.settled(done.job_id)
    filters = {"task": "img2img", "status": "succeeded", "endpoint": done.endpoint}
    for chosen in chain.from_iterable(combinations(filters.items(), count) for count in range(4)):
        visit.ask("GET", f"jobs?{urlencode(chosen)}").raise_for_status()


def draw_an_uploaded_picture(visit: Visit) -> None:
    buffer = io.BytesIO()
    picture().save(buffer, format="PNG")
    params = img2img(init_images=[visit.service.jobs.upload(buffer.getvalue())])
    visit.service.jobs.finish(
        visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )


def send_params_by_storage(visit: Visit) -> None:
    params = img2img(init_images=[picture_text(1100)])
    visit.service.jobs.finish(
        visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT)).job_id
    )


def picture_text(size: int) -> str:
    buffer = io.BytesIO()
    picture(size=size).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def draw_with_a_checkpoint_nobody_had(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"new-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    job = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=path.name))
    visit.service.jobs.finish(job.job_id)
    visit.service.assets.delete(asset.asset_id)


def draw_with_a_checkpoint_that_is_gone(visit: Visit) -> None:
    path = write_tiny_checkpoint(visit.folder / f"gone-{visit.mark}.safetensors", seed=int(visit.mark, 16))
    asset = visit.service.assets.upload(path, "checkpoint")
    visit.throw_away(asset.asset_id)
    job = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=path.name))
    *_, failed = visit.service.jobs.watch(job.job_id)
    assert failed.error is not None, failed
    assert failed.error.code is JobErrorCode.ASSET_MISSING, failed.error
    visit.settled(job.job_id)
    visit.service.assets.delete(asset.asset_id)


def fail_and_delete_a_job(visit: Visit) -> None:
    damaged = bytearray(base64.b64decode(picture_text(64)))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 8] = bytes(8)
    params = img2img(init_images=[base64.b64encode(damaged).decode()])
    job = visit.service.jobs.submit(CreateJob(task=Task.IMG2IMG, params=params, checkpoint=CHECKPOINT))
    *_, failed = visit.service.jobs.watch(job.job_id)
    assert failed.error is not None, failed
    assert failed.error.code is JobErrorCode.BAD_IMAGE, failed.error
    visit.settled(job.job_id)
    visit.service.jobs.delete(job.job_id)


def retry_and_delete_a_job(visit: Visit) -> None:
    again = visit.service.jobs.retry(visit.done())
    visit.service.jobs.finish(again.job_id)
    visit.service.jobs.delete(again.job_id)


def cancel_jobs(visit: Visit) -> None:
    running, waiting = (
        visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
        for _ in "ab"
    )
    until(visit.service, running, sampling=True)
    visit.service.jobs.get(waiting)
    visit.service.jobs.cancel(waiting)
    visit.service.jobs.cancel(running)
    until(visit.service, running, sampling=False)
