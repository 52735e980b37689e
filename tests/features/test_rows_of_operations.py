"""Rows 46 to 57 of the survey: running it, watching it, and what speaks to it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from generate_on_cloud.client import GenerateOnCloud
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.metrics import ContainerMetric
from infrastructure.config import StageConfig
from lambdas.functions.health import Problem
from tests.lambdas.cloud import Cloud, txt2img
from tests.otlp_receiver import Collector

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "ja", "zh-Hans")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_row_46_a_machine_with_four_gpus_has_four_workers() -> None:
    assert StageConfig.from_context({"instance_type": "ml.g5.12xlarge"}).workers == 4


def test_row_47_metrics_go_to_cloudwatch_and_by_opentelemetry_to_any_collector(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference_container.job_metrics import metric_fields
    from inference_container.otlp import OtlpTelemetry
    from inference_container.request_document import Ids

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    values = dict.fromkeys(ContainerMetric, 1.0)

    line = metric_fields(values, stack="main")
    telemetry = OtlpTelemetry(stack="main")
    telemetry.begin(Ids("j1", task="txt2img")).end(1.0, values)
    telemetry.close()

    (told,) = line["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in told["Metrics"]} == set(ContainerMetric)
    assert len([name for name in collector.metrics if name.startswith("generate_on_cloud.")]) == len(values) + 2


def test_row_48_every_alarm_has_a_heading_in_the_runbook() -> None:
    named = [*re.findall(r'\bname="(\w+)"', (ROOT / "infrastructure/alarms.py").read_text()), *Problem]
    headings = {heading.lower() for heading in re.findall(r"^## (.+)$", page("runbook.md"), re.MULTILINE)}

    assert named
    assert {name.lower() for name in named} <= headings


def test_row_49_a_trace_goes_from_the_request_into_the_job_and_its_document(cloud: Cloud) -> None:
    # From the container's span on: test_on_a_local_cloud.py.
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    reply = cloud.ask("POST", "/v1/jobs", txt2img(), headers={"traceparent": traceparent})

    job_id = reply.ok(201)["job_id"]
    document = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job_id}/request.json")["Body"].read()
    assert json.loads(document)["traceparent"] == reply.headers["traceparent"] == traceparent


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("bootstrap", "infrastructure.deploy bootstrap"),
        ("preflight", "infrastructure.preflight"),
        ("deploy", "infrastructure.deploy deploy"),
        ("diff", "infrastructure.deploy diff"),
        ("destroy", "infrastructure.teardown"),
    ],
)
def test_row_50_and_51_one_command_deploys_and_one_removes_everything(command: str, program: str) -> None:
    # Both against the local cloud: tests/e2e/test_preflight.py, tests/e2e/test_teardown.py.
    # Without what a `make` that runs these tests hands on: it would add lines about folders.
    shown = subprocess.run(
        ["make", "-n", "--no-print-directory", command], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert f"-m {program}" in shown.splitlines()[-1]


def test_row_52_logs_and_audit_of_the_local_cloud_are_files_and_the_page_says_where() -> None:
    # That they are written: test_on_a_local_cloud.py.
    assert "function-NAME.log" in page("architecture/04-local-cloud.md")


def test_row_53_the_openapi_document_is_served_and_is_the_committed_one(cloud: Cloud) -> None:
    served = cloud.ask("GET", "/v1/openapi.json", user=None).ok()
    committed = json.loads(page("openapi.json"))

    assert served | {"info": None} == committed | {"info": None}


def test_row_54_the_python_client_has_every_noun_of_the_api() -> None:
    cloud = GenerateOnCloud("http://127.0.0.1:9", "k")

    nouns = ("jobs", "assets", "endpoints", "users", "roles", "keys", "sessions", "me", "usage", "webhooks")
    assert all(hasattr(cloud, noun) and f"cloud.{noun}" in page("python.md") for noun in nouns)
    cloud.close()


def test_row_55_there_is_a_console_and_a_panel_inside_webui() -> None:
    assert (ROOT / "console/src/generate").is_dir()
    assert (ROOT / "webui_extension/scripts").is_dir()


def sentences(texts: object, place: str = "") -> dict[str, str]:
    """Every text by its place in the file."""
    if isinstance(texts, dict):
        return {at: text for name, one in texts.items() for at, text in sentences(one, f"{place}/{name}").items()}
    return {place: str(texts)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_row_56_the_console_speaks_three_languages(language: str) -> None:
    texts = json.loads((ROOT / f"console/src/locales/{language}.json").read_text(encoding="utf-8"))

    english = json.loads((ROOT / "console/src/locales/en.json").read_text(encoding="utf-8"))

    assert sentences(texts).keys() == sentences(english).keys()
    same = [place for place, text in sentences(texts).items() if text == sentences(english)[place]]
    assert language == "en" or len(same) < 0.1 * len(sentences(english))


@pytest.mark.parametrize("code", ProblemCode)
def test_row_57_every_error_has_a_code_with_a_line_in_the_page(code: ProblemCode) -> None:
    assert f"| `{code}` |" in page("api.md")
