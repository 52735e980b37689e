"""A run that is stuck ends its process, which is then started again; one that ends in time does not."""

import subprocess
import sys
import textwrap

import pytest

STUCK = {
    "in a loop": "while True: pass",
    "in one instruction": "pair = ()\nfor _ in range(60): pair = (pair, pair)\nhash(pair)",
}


def run(body: str) -> subprocess.CompletedProcess[str]:
    program = "from inference_container.time_limit import TimeLimit\nimport time\n"
    program += "with TimeLimit(1, time.monotonic() - 1).exits_when_stuck(after=0.2):\n"
    program += textwrap.indent(body, "    ") + "\nprint('ended')\n"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("how", STUCK)
def test_a_process_that_is_stuck_exits_and_says_where(how: str) -> None:
    ended = run(STUCK[how])

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "most recent call first" in ended.stderr


def test_a_process_whose_run_ended_goes_on() -> None:
    ended = run("pass")

    assert (ended.returncode, ended.stdout) == (0, "ended\n")
