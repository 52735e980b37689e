"""The image's entry point: root hands the cache over and is root no more; what happens without a usable cache."""

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from inference_container import start
from inference_container.cache_directory import why_unusable
from tests.container.server_process import container, settings_for
from tests.patience import wait_for

ROOT = Path(__file__).parents[2]
SOMEBODY = "nobody"

PREPARE = f"""
import json, os, pwd, sys, tempfile
from pathlib import Path
from inference_container.start import prepared
from inference_container.cache_directory import why_unusable

environment = prepared(pwd.getpwnam({SOMEBODY!r}), {{"CACHE_DIR": sys.argv[1], "OTHER": "kept"}})
Path(environment["TMPDIR"], "scratch").write_text("written")
try:
    os.setuid(0)
except PermissionError:
    again = False
else:
    again = True
print(json.dumps({{
    "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups()],
    "root again": again,
    "unusable": why_unusable(Path(sys.argv[1])),
    "environment": environment,
}}))
"""


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder that everybody may enter and only its owner may write, as SageMaker's /tmp."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand anything over")
def test_root_gives_the_cache_to_the_user_and_cannot_become_root_again(disk: Path) -> None:
    user, cache = pwd.getpwnam(SOMEBODY), disk / "cache"

    ran = subprocess.run(
        [sys.executable, "-c", PREPARE, str(cache)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    said = json.loads(ran.stdout)
    assert said["ids"] == [user.pw_uid, user.pw_uid, user.pw_gid, user.pw_gid, []]
    assert (said["root again"], said["unusable"]) == (False, None)
    assert said["environment"] == {
        "CACHE_DIR": str(cache),
        "TMPDIR": str(cache / "tmp"),
        "OTHER": "kept",
        "HOME": user.pw_dir,
        "USER": SOMEBODY,
    }
    assert cache.stat().st_uid == user.pw_uid
    assert stat.S_IMODE(disk.stat().st_mode) == 0o755


def test_whoever_is_not_root_becomes_the_server_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    monkeypatch.setattr(os, "execve", lambda _program, words, environment: became.append((words, environment)))
    monkeypatch.setattr(sys, "argv", ["start", "serve"])

    start.main()

    assert became == [([sys.executable, "-m", "inference_container.server", "serve"], dict(os.environ))]


def test_a_folder_that_can_be_written_is_made(tmp_path: Path) -> None:
    assert why_unusable(tmp_path / "a" / "b") is None
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_container_without_a_usable_cache_logs_one_line_and_answers_pings_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    settings = settings_for(tmp_path / "file" / "cache")
    url = f"http://127.0.0.1:{settings.PORT}"

    with container(settings) as process:
        wait_for(lambda: answers(url), "an answer to /ping", seconds=60, every=0.1)
        ping, job = httpx.get(f"{url}/ping"), httpx.post(f"{url}/invocations", content=b"{}")
        process.terminate()
        _, log = process.communicate(timeout=60)

    reason = f"the cache folder {settings.CACHE_DIR} (CACHE_DIR) cannot be written: Not a directory"
    errors = [json.loads(line)["message"] for line in log.splitlines() if json.loads(line)["level"] == "error"]
    assert (ping.status_code, ping.json()) == (503, {"status": reason})
    assert (job.status_code, reason in job.text) == (503, True)
    assert errors == [f"no job can run: {reason}"]


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping").status_code > 0
    except httpx.TransportError:
        return False
