"""One id from the request to the job's row, its request document, every log line about it, and the webhook."""

import json
import logging

import pytest

from generate_on_cloud.contract.webhooks import WebhookEvent
from lambdas.functions.webhooks import body_of
from tests.lambdas.cloud import Cloud, completed, txt2img

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def ids_logged(caplog: pytest.LogCaptureFixture) -> set[tuple[object, object]]:
    return {(getattr(r, "job_id", None), getattr(r, "correlation_id", None)) for r in caplog.records}


def test_a_jobs_id_is_on_its_row_request_log_lines_and_webhook(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lambdas")
    cloud.checkpoint()

    reply = cloud.ask("POST", "/v1/jobs", txt2img(), headers={"X-Correlation-Id": "order-17"})
    job_id = reply.ok(201)["job_id"]
    on_sending = ids_logged(caplog)
    caplog.clear()
    cloud.events.handle(completed(job_id, cloud.put_result(job_id)))

    request = json.loads(cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job_id}/request.json")["Body"].read())
    job = cloud.jobs.get(job_id)
    assert job is not None
    assert (reply.headers["x-correlation-id"], reply.json["correlation_id"]) == ("order-17", "order-17")
    assert request["correlation_id"] == "order-17"
    assert (job_id, "order-17") in on_sending
    assert (job_id, "order-17") in ids_logged(caplog)
    assert json.loads(body_of(job, WebhookEvent.JOB_SUCCEEDED))["data"]["correlation_id"] == "order-17"


def test_a_trace_goes_with_the_job_to_its_row_request_log_lines_and_webhook(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lambdas")
    cloud.checkpoint()
    traceparent = f"00-{TRACE}-00f067aa0ba902b7-01"

    reply = cloud.ask("POST", "/v1/jobs", txt2img(), headers={"Traceparent": traceparent})
    job_id = reply.ok(201)["job_id"]

    request = json.loads(cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job_id}/request.json")["Body"].read())
    assert (reply.headers["traceparent"], reply.json["traceparent"]) == (traceparent, traceparent)
    assert request["traceparent"] == traceparent
    assert (job_id, TRACE) in {(getattr(r, "job_id", None), getattr(r, "trace_id", None)) for r in caplog.records}


def test_a_request_without_a_trace_has_none_in_answer_and_job(cloud: Cloud) -> None:
    cloud.checkpoint()

    reply = cloud.ask("POST", "/v1/jobs", txt2img(), headers={"traceparent": "nonsense"})

    assert reply.ok(201)["traceparent"] is None
    assert "traceparent" not in reply.headers


@pytest.mark.parametrize(
    ("headers", "correlation_id"),
    [
        ({}, "request-1"),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"traceparent": "nonsense"}, "request-1"),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-correlation-id": "mine"}, "mine"),
    ],
)
def test_the_clients_own_id_goes_before_its_trace_and_that_before_api_gateways(
    cloud: Cloud, headers: dict[str, str], correlation_id: str
) -> None:
    reply = cloud.ask("GET", "/v1/health", headers=headers)

    assert reply.headers["x-correlation-id"] == correlation_id


def test_a_problem_has_the_id_too(cloud: Cloud) -> None:
    reply = cloud.ask("GET", "/v1/jobs/none", headers={"x-correlation-id": "order-18"})

    assert (reply.status, reply.headers["x-correlation-id"]) == (404, "order-18")


@pytest.mark.parametrize("received", ["", "a b", "x" * 129, 'x"}', "é"])
def test_an_id_that_does_not_belong_in_a_log_line_is_refused(cloud: Cloud, received: str) -> None:
    reply = cloud.ask("GET", "/v1/health", headers={"x-correlation-id": received})

    (error,) = reply.problem(422, "invalid_params")["errors"]
    assert error["pointer"] == "header:x-correlation-id"
    assert "allowed: 1 to 128" in error["message"]
