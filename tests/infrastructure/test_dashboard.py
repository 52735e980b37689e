"""The dashboard shows what the code tells: names, namespace and dimensions are collected from lines it writes."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.messages import JobResult
from inference_container.job_metrics import cost_metrics, metric_fields, result_metrics
from lambdas.functions.metrics import record_awake, record_ended, record_open
from lambdas.jobs.record import JobRecord

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

START = datetime(2026, 1, 2, tzinfo=UTC)
ENDED = JobRecord(
    job_id="j",
    owner="ann",
    task=Task.TXT2IMG,
    status=JobStatus.SUCCEEDED,
    endpoint="goc-main-default",
    created_at=START,
    queued_at=START,
    started_at=START + timedelta(seconds=4),
    finished_at=START + timedelta(seconds=10),
)

Series = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, and dimensions; the value of one that a search leaves open is `*`."""


def series_of(line: dict[str, Any], *, open_dimension: str = "Code") -> set[Series]:
    """What CloudWatch makes of one log line."""

    def value(name: str) -> str:
        return "*" if name == open_dimension else str(line[name])

    return {
        (told["Namespace"], metric["Name"], frozenset((name, value(name)) for name in dimensions))
        for told in line["_aws"]["CloudWatchMetrics"]
        for metric in told["Metrics"]
        for dimensions in told["Dimensions"]
        if metric["Name"] in line
    }


def series_shown(assembly: "Assembly") -> set[Series]:
    """Every metric of the dashboard, those of a search with what it asks for."""
    body = assembly.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    text = "".join(part if isinstance(part, str) else "filled-in" for part in parts)
    shown: set[Series] = set()
    for widget in json.loads(text)["widgets"]:
        full: list[Any] = []
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                shown |= searched(row[0].get("expression", ""))
                continue
            # CloudWatch's shorthand: "." repeats the row above at that place.
            full = [full[place] if each == "." else each for place, each in enumerate(row)]
            words = [each for each in full if isinstance(each, str)]
            shown.add((words[0], words[1], frozenset(zip(words[2::2], words[3::2], strict=True))))
    return shown


def searched(expression: str) -> set[Series]:
    found = re.search(r"SEARCH\('\{(.+?)\} (.+?)', '\w+', \d+\)", expression)
    if found is None:
        return set()
    namespace, *dimensions = found[1].split(",")
    asked = dict(re.findall(r'(\w+)="(.+?)"', found[2]))
    return {(namespace, asked["MetricName"], frozenset((name, asked.get(name, "*")) for name in dimensions))}


def test_every_metric_the_functions_and_the_container_tell_is_on_the_dashboard_with_its_dimensions(
    aws: "Assembly", changed: "Assembly", capsys: pytest.CaptureFixture[str]
) -> None:
    for assembly in (aws, changed):
        stack = assembly.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"]["STACK"]
        named = {
            properties["Environment"]["Variables"]["STACK_NAME"]
            for properties in assembly.resources("AWS::Lambda::Function").values()
            if "STACK_NAME" in properties.get("Environment", {}).get("Variables", {})
        }
        record_ended([ENDED, replace(ENDED, error=JobError.of(JobErrorCode.BAD_IMAGE, "why"))], stack=stack)
        record_open(1, oldest=START, now=START, stack=stack)
        record_awake(stack=stack)
        values = {
            **result_metrics(JobResult(job_id="j", task=Task.TXT2IMG)),
            **cost_metrics(3.0, price_per_hour=1.0),
        }
        lines = [*map(json.loads, capsys.readouterr().out.splitlines()), metric_fields(values, stack=stack)]

        told = set().union(*map(series_of, lines))
        ours = {series for series in series_shown(assembly) if series[0] == "GenerateOnCloud"}
        assert named == {stack}
        assert len(told) == 15
        assert told == ours
