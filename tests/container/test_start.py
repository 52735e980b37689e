"""What a container imports before it is ready: each of these modules costs seconds that a cold start waits for."""

import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile
from inference_container.models.libraries import load_later

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "boto3", "PIL", "numpy")
HEAVIER = ("diffusers", "transformers", "accelerate", "torch._dynamo", "scipy", "sympy")


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


def test_the_server_answers_pings_before_anything_heavy_is_imported() -> None:
    assert imported_by("inference_container.server").isdisjoint((*HEAVY, *HEAVIER))


def test_the_worker_is_put_together_without_the_model_libraries() -> None:
    modules = imported_by("inference_container.assembly")

    assert "inference_container.tasks.img2img" in modules
    assert modules.isdisjoint(HEAVIER)


def test_libraries_that_cannot_be_imported_are_told_of_and_fail_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is Python's own way to say that a module is not to be had.
    monkeypatch.setitem(sys.modules, "inference_container.models.loader", None)
    told: Future[BaseException | None] = Future()
    file = ModelFile(AssetType.CHECKPOINT, "a.safetensors", Path("a.safetensors"), "")

    load = load_later(device=torch.device("cpu"), dtype=torch.float32, imported=told.set_result)
    with pytest.raises(ImportError, match=r"inference_container\.models\.loader"):
        load(file)

    assert isinstance(told.result(20), ImportError)
