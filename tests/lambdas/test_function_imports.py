"""What the small functions must not load, because every cold start would pay for it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("function", ["job_events", "sweeper", "webhooks"])
def test_a_function_that_ends_or_tells_of_jobs_does_not_load_the_params_of_every_task(function: str) -> None:
    code = f"import sys, lambdas.functions.{function}; print('generate_on_cloud.contract.params' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == "False\n"
