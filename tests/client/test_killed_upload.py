"""`goc assets upload` ended by SIGKILL half-way: the next run sends what storage has not, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from generate_on_cloud.client.part_sender import PARALLEL_PARTS
from tests.client.small_service import SmallService, open_service

PARTS, PART, STORED = 12, 64 * 1024, 5


def start(service: SmallService, file: Path, home: Path) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-c",
        "from generate_on_cloud.cli.command import main; main()",
        "assets",
        "upload",
        str(file),
    ]
    environment = {
        **service.environment(),
        "HOME": str(home),
        "PYTHONPATH": str(Path.cwd()),
        "PATH": os.environ["PATH"],
    }
    return subprocess.Popen(
        [*command, "--type", "lora", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_upload_sends_only_the_parts_in_flight_again(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    data = os.urandom((PARTS - 1) * PART + 7)
    file.write_bytes(data)
    with open_service(SmallService(size=len(data), part_size=PART, taken_before_it_stalls=STORED)) as service:
        first = start(service, file, tmp_path)
        for _ in range(PARALLEL_PARTS):
            assert service.stalled.acquire(timeout=60)
        first.send_signal(signal.SIGKILL)
        _, told = first.communicate(timeout=60)
        stored_then = set(service.stored)
        begun_then = set(service.begun)
        service.taken_before_it_stalls = 10**9
        service.go_on.set()

        second = start(service, file, tmp_path)
        answer, progress = second.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0), told + progress
    assert len(stored_then) == STORED
    sent_again = {number for number, times in service.begun.items() if times > 1}
    assert sent_again == begun_then - stored_then
    assert len(sent_again) == PARALLEL_PARTS
    assert service.begun.total() == PARTS + PARALLEL_PARTS
    assert b"".join(service.stored[number] for number in sorted(service.stored)) == data
    assert json.loads(answer)["assets"][0]["status"] == "active"
    assert "x.safetensors" in progress
