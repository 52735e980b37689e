"""The container's Dockerfile follows the rules of its linter."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "inference_container" / "Dockerfile"


def test_hadolint_finds_nothing() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout) == (0, "")


def test_the_image_and_every_environment_have_the_pip_of_the_constraints() -> None:
    texts = DOCKERFILE.read_text(), (ROOT / "Makefile").read_text()

    created = [len(re.findall(r"-m venv [/$.]", text)) for text in texts]
    pinned = [
        len(re.findall(r"pip install .*--constraint constraints\.txt pip( |$)", text, re.MULTILINE)) for text in texts
    ]

    assert re.findall("^pip==[0-9.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert all("pip==" not in text for text in texts)
    assert pinned == created
    assert min(created) > 0
