"""Scenarios of jobs whose worker, message or sending was lost."""

import json
import time

import psutil

from checks.grants.deployed import client
from checks.grants.scenarios.visit import Visit, ago
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import JobStatus, Task
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import container_of, endless, until, until_queued_or_ended


def lose_a_worker(visit: Visit) -> None:
    job_id = visit.service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=endless(), checkpoint=CHECKPOINT)).job_id
    until(visit.service, job_id, sampling=True)
    container: psutil.Process = container_of(visit.cloud)
    container.kill()
    container.wait(timeout=60)
    until_queued_or_ended(visit.service, job_id)
    assert until(visit.service, job_id, sampling=True).status is JobStatus.RUNNING
    visit.service.jobs.cancel(job_id)
    until(visit.service, job_id, sampling=False)


def hear_of_a_failure_without_an_object(visit: Visit) -> None:
    job_id = visit.done()
    bucket, key = visit.cloud.outputs["JobsBucketName"], "endpoint-failure/none.out"
    visit.unsettle(job_id, status="running", output_key=None, failure_key=key)
    said = {
        "inferenceId": job_id,
        "invocationStatus": "Failed",
        "failureReason": "the container was stopped",
        "responseParameters": {"failureLocation": f"s3://{bucket}/{key}"},
    }
    visit.invoke("JobEvents", {"Records": [{"Sns": {"MessageId": visit.mark, "Message": json.dumps(said)}}]})
    row = visit.row("JobsTable", "job_id", job_id)
    assert "worker_lost_at" in row, f"a job whose worker died was not handed over again: {row}"
    visit.service.jobs.finish(job_id)


def count_dead_letters(visit: Visit) -> None:
    sqs = client(visit.cloud, "sqs")
    urls = [each for each in sqs.list_queues()["QueueUrls"] if "DeadLetters" in each]
    for url in urls:
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        swept = visit.invoke("Sweeper", {})
        assert (len(urls), swept.get("DeadLetters")) == (2, 2), swept
    finally:
        for url in urls:
            sqs.purge_queue(QueueUrl=url)


def sweep_a_job_whose_message_was_lost(visit: Visit) -> None:
    row = visit.sweep(visit.done(), status="running", heartbeat_at=int(time.time()) - 300)
    assert (row["status"]["S"], "open" in row) == ("succeeded", False), row


def sweep_a_job_whose_worker_died(visit: Visit) -> None:
    job_id = visit.done()
    row = visit.sweep(
        job_id, status="running", heartbeat_at=int(time.time()) - 3600,
        output_key="endpoint-output/none.out", failure_key="endpoint-failure/none.out",
    )  # fmt: skip
    assert row.get("output_key") not in (None, {"S": "endpoint-output/none.out"}), row
    visit.service.jobs.finish(job_id)


def sweep_a_job_whose_endpoint_was_replaced(visit: Visit) -> None:
    """It was handed to an endpoint of the same name that was there before this one."""
    job_id = visit.done()
    row = visit.sweep(
        job_id, status="queued", output_key="endpoint-output/none.out", failure_key="endpoint-failure/none.out",
        created_at=ago(minutes=600), queued_at=ago(minutes=600), worker_id=None, heartbeat_at=None, started_at=None,
    )  # fmt: skip
    assert row.get("output_key") not in (None, {"S": "endpoint-output/none.out"}), row
    visit.service.jobs.finish(job_id)


def sweep_a_job_that_was_never_sent(visit: Visit) -> None:
    job_id = visit.done()
    row = visit.sweep(
        job_id, status="queued", output_key=None, failure_key=None,
        queued_at=ago(minutes=5), worker_id=None, heartbeat_at=None, started_at=None,
    )  # fmt: skip
    assert "output_key" in row, row
    visit.service.jobs.finish(job_id)
