"""Every command and snippet of README.md, docs/tasks.md and docs/python.md works as pasted, on a local cloud."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
GOC = "from generate_on_cloud.cli.command import main; main()"
ON_ERROR = "trap 'echo \"FAILED in line $LINENO: $BASH_COMMAND\" >&2' ERR"


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def runnable(line: str) -> str:
    """The line as the test runs it: `make` only says what it would do, and what a reader must fill in is left out."""
    if line.startswith("make "):
        return re.sub(r"^make ", f'make -n -C "{ROOT}" ', line)
    return "" if "…" in line.partition("#")[0] else line


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("documented-cloud")) as cloud:
        yield cloud


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as a reader has it: the repository's pictures and weights, and `goc` on the PATH."""
    for name in ("examples", "demo_models"):
        (tmp_path / name).symlink_to(ROOT / name)
    goc = tmp_path / "bin" / "goc"
    goc.parent.mkdir()
    goc.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{GOC}" "$@"\n')
    goc.chmod(0o755)
    return tmp_path


def environment(cloud: LocalCloud, desk: Path) -> dict[str, str]:
    return {
        **os.environ, "GOC_URL": cloud.api_url, "GOC_API_KEY": cloud.admin_key, "PYTHONPATH": str(ROOT),
        "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(desk / "config"), "COLUMNS": "100",
    }  # fmt: skip


@pytest.mark.parametrize("page", ["README.md", "docs/tasks.md"])
def test_every_command_of_the_page_works_as_pasted(cloud: LocalCloud, desk: Path, page: str) -> None:
    found = blocks(ROOT / page, "sh")
    script = "\n".join(
        ["set -Eeuo pipefail", ON_ERROR, *(runnable(line) for text in found for line in text.splitlines())]
    )

    ran = subprocess.run(
        ["bash", "-c", script], cwd=desk, env=environment(cloud, desk), capture_output=True, text=True,
        timeout=1500, check=False,
    )  # fmt: skip

    assert found
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert list((desk / "out").rglob("*.png"))


def test_every_snippet_of_the_python_page_works_in_order(cloud: LocalCloud, desk: Path) -> None:
    found = blocks(ROOT / "docs" / "python.md", "python")

    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-c", "\n".join(found)], cwd=desk, env=environment(cloud, desk),
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip

    assert found
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert list((desk / "out").glob("7-a red circle*.png"))
