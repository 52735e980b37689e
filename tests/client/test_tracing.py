"""`goc` joins the trace it is started in, and tells a collector what it did."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from generate_on_cloud.client.connection import Connection
from generate_on_cloud.contract.capabilities import Capabilities
from generate_on_cloud.contract.trace_context import read_traceparent
from tests.client.small_service import SmallService, problem
from tests.otlp_receiver import open_collector

ROOT = Path(__file__).parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
JOBS: tuple[int, object] = (200, {"jobs": [], "next_cursor": None})


def goc(service: SmallService, *words: str, environment: Mapping[str, str]) -> int:
    """`goc` in a process of its own: a process has one tracer."""
    code = "from generate_on_cloud.cli.command import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **service.environment(), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return run.returncode


def test_a_command_and_its_requests_are_spans_of_the_trace_it_is_started_in(service: SmallService) -> None:
    service.answers["GET /v1/jobs"] = JOBS
    with open_collector() as collector:
        environment = {"TRACEPARENT": TRACEPARENT, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        assert goc(service, "jobs", "list", environment=environment) == 0

    (command,), (request,) = collector.named("goc jobs"), collector.named("GET /v1/jobs")
    assert (command.trace_id, command.parent_id, command.service) == (TRACE, SPAN, "goc")
    assert (request.trace_id, request.parent_id) == (TRACE, command.span_id)
    assert service.traces == [f"00-{TRACE}-{request.span_id}-01"]


def test_a_command_that_fails_is_a_span_that_failed(service: SmallService) -> None:
    service.answers["GET /v1/jobs"] = problem(403, "forbidden")
    with open_collector() as collector:
        assert goc(service, "jobs", "list", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) == 4

    assert [span.failed for span in collector.named("goc jobs")] == [True]


@pytest.mark.parametrize(
    ("variable", "sent"), [(TRACEPARENT, [TRACEPARENT]), ("nonsense", []), (None, [])], ids=["valid", "broken", "none"]
)
def test_a_request_carries_the_context_of_the_environment(
    service: SmallService, monkeypatch: pytest.MonkeyPatch, variable: str | None, sent: list[str]
) -> None:
    monkeypatch.delenv("TRACEPARENT", raising=False)
    if variable is not None:
        monkeypatch.setenv("TRACEPARENT", variable)
    service.answers["GET /v1/capabilities"] = problem(404, "not_found")
    connection = Connection(service.url, "k")

    with pytest.raises(Exception, match="not_found"):
        connection.ask(Capabilities, "GET", "/v1/capabilities")
    connection.close()

    assert service.traces == sent


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f"01-{TRACE}-{SPAN}-01-more", TRACEPARENT),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (TRACEPARENT.upper(), None),
        ("", None),
        (None, None),
    ],
)
def test_a_context_is_read_as_w3c_says(text: str | None, read: str | None) -> None:
    context = read_traceparent(text)

    assert (context.traceparent if context else None) == read
