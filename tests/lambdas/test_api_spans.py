"""Spans of the API's requests, where a stage has a collector."""

import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from lambdas.api.handler import make_resolver
from lambdas.api.tracing import PAUSE_SECONDS, PatientExporter, traced
from tests.lambdas.cloud import KEYS, Cloud, txt2img
from tests.otlp_receiver import open_collector

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def event(method: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
    return {
        "httpMethod": method, "path": path, "body": None if body is None else json.dumps(body),
        "headers": {"X-Api-Key": KEYS["alice"], **headers},
    }  # fmt: skip


def asked(cloud: Cloud, request: dict[str, Any]) -> tuple[dict[str, Any], ReadableSpan]:
    """The answer, and the one span of the request."""
    kept = InMemorySpanExporter()
    answer = traced(make_resolver(cloud.services), exporter=kept)(request)
    (span,) = kept.get_finished_spans()
    return answer, span


def ids(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_a_request_has_a_span_in_its_callers_trace_and_the_job_goes_on_below_it(cloud: Cloud) -> None:
    cloud.checkpoint()

    answer, span = asked(cloud, event("POST", "/v1/jobs", txt2img(), Traceparent=f"00-{TRACE}-{SPAN}-01"))

    trace_id, span_id = ids(span)
    job = json.loads(answer["body"])
    assert (trace_id, span.parent and f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.name == "POST /v1/jobs"
    assert job["traceparent"] == f"00-{TRACE}-{span_id}-01"
    assert answer["multiValueHeaders"]["traceparent"] == [job["traceparent"]]
    assert dict(span.attributes or {})["http.response.status_code"] == 201


def test_a_request_without_a_trace_begins_one(cloud: Cloud) -> None:
    answer, span = asked(cloud, event("GET", "/v1/me"))

    assert span.parent is None
    assert answer["multiValueHeaders"]["traceparent"][0].startswith(f"00-{'-'.join(ids(span))}-0")


def test_a_trace_that_its_caller_does_not_record_is_passed_on_and_not_sent(cloud: Cloud) -> None:
    kept = InMemorySpanExporter()

    answer = traced(make_resolver(cloud.services), exporter=kept)(
        event("GET", "/v1/me", traceparent=f"00-{TRACE}-{SPAN}-00")
    )

    assert kept.get_finished_spans() == ()
    assert answer["multiValueHeaders"]["traceparent"][0].startswith(f"00-{TRACE}-")


NAMED: dict[str, tuple[tuple[str, str], str, int]] = {
    "by its route, not by the id": (("GET", "/v1/jobs/01a2"), "GET /v1/jobs/{job_id}", 404),
    "by its method, where there is no route": (("GET", "/v1/nothing/at/all"), "GET", 404),
    "by its method, for an unprintable path": (("GET", "/v1/jobs/a\nb"), "GET", 404),
}


@pytest.mark.parametrize("case", NAMED)
def test_spans_have_few_names(cloud: Cloud, case: str) -> None:
    request, name, status = NAMED[case]

    _, span = asked(cloud, event(*request))

    assert span.name == name
    assert dict(span.attributes or {})["http.response.status_code"] == status
    assert span.status.status_code is StatusCode.UNSET


def test_a_request_that_fails_has_a_failed_span(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(cloud.services.callers), "caller_with", fail)

    answer, span = asked(cloud, event("GET", "/v1/me"))

    assert answer["statusCode"] == 500
    assert span.status.status_code is StatusCode.ERROR


class Broken(SpanExporter):
    def __init__(self) -> None:
        self.tries = 0

    def export(self, spans: object) -> SpanExportResult:
        self.tries += 1
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing to do."""


def test_after_a_collector_that_does_not_answer_requests_do_not_wait_for_it_for_a_minute() -> None:
    broken, now = Broken(), [0.0]
    patient = PatientExporter(broken, monotonic=lambda: now[0])

    for moment in (0.0, 1.0, PAUSE_SECONDS - 1, PAUSE_SECONDS + 1, PAUSE_SECONDS + 2):
        now[0] = moment
        assert patient.export([]) is SpanExportResult.FAILURE

    assert broken.tries == 2


def test_spans_arrive_at_a_collector_before_the_answer(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)

        traced(make_resolver(cloud.services))(event("GET", "/v1/me"))

        (span,) = collector.spans
    assert (span.service, span.name) == ("generate-on-cloud-api", "GET /v1/me")


def test_without_a_collector_the_function_loads_no_opentelemetry() -> None:
    code = "import sys, lambdas.api.handler; print([name for name in sys.modules if 'opentelemetry' in name])"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == "[]\n"
