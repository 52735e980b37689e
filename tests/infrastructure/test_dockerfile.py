"""The container's Dockerfile follows the rules of its linter."""

import subprocess
import sys
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[2] / "inference_container" / "Dockerfile"


def test_hadolint_finds_nothing() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout) == (0, "")
