"""The logs of functions are files on the local cloud, in the lines of AWS's runtime."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_cloud.ministack.function_logs import RUNTIME, short_name
from tests.local_cloud.tiny_stack import Tiny

PROGRAM = """
import logging
audit = logging.getLogger("audit")
audit.setLevel(logging.INFO)
audit.info('{"audit": "%s"}', "user.created", extra={"job_id": "j1", "sizes": {1}})
audit.debug("not this")
logging.getLogger().warning("é\\nsecond line")
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("no")
"""


def logged(tiny: Tiny, text: str) -> list[str] | None:
    """The log of the tiny stack's function once it holds `text`."""
    for path in tiny.cloud.settings.log_dir.glob("function-*.log"):
        if text in (lines := path.read_text()):
            return lines.splitlines()
    return None


def test_a_function_logs_as_in_awss_runtime() -> None:
    environment = {**os.environ, "PYTHONPATH": str(RUNTIME)}
    command = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)

    audit, warning, failure = (json.loads(line) for line in said.stderr.splitlines())

    assert (audit["level"], audit["logger"], audit["message"]) == ("INFO", "audit", '{"audit": "user.created"}')
    assert (audit["job_id"], audit["sizes"]) == ("j1", "{1}")
    assert audit["timestamp"].endswith("Z")
    assert (warning["level"], warning["message"]) == ("WARNING", "é\nsecond line")
    assert (failure["errorType"], failure["errorMessage"]) == ("ZeroDivisionError", "division by zero")
    assert "ZeroDivisionError: division by zero" in failure["stackTrace"]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"Handler": "lambdas.api.handler.handler"}, "api"),
        ({"Handler": "lambdas.functions.job_events.handler"}, "job_events"),
        ({"Handler": "index.handler", "FunctionName": "goc-main-Custom/Thing-1"}, "goc-main-Custom_Thing-1"),
        ({}, "unknown"),
    ],
)
def test_a_log_is_named_after_its_function(config: dict[str, Any], name: str) -> None:
    assert short_name(config) == name


def test_what_a_function_logs_is_in_a_file_that_only_its_owner_reads(shared: Tiny) -> None:
    httpx.get(f"{shared.cloud.api_url}/", params={"say": "hello there"}, timeout=30).raise_for_status()

    lines = shared.wait(lambda: logged(shared, "hello there"), seconds=20)

    (line,) = [json.loads(line) for line in lines if "hello there" in line]
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "audit", "hello there")
    for path in shared.cloud.settings.log_dir.glob("function-*.log"):
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
