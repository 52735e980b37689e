"""A tiny checkpoint, written once for all tests here."""

import hashlib
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile
from tests.tiny_checkpoint import write_tiny_checkpoint


def model_file(path: Path) -> ModelFile:
    """`path` as the disk cache would hand it over."""
    return ModelFile(AssetType.CHECKPOINT, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    return model_file(write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"))
