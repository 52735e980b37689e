"""Upload and container judge a file alike: both take it, or both refuse it in the same words."""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.face_files import face_family
from generate_on_cloud.model_files.facts import FileFacts, read_facts
from generate_on_cloud.model_files.families import detect_family
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.preprocessor_files import PREPROCESSOR_FILES, preprocessor_family
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from inference_container.models.annotators import load_annotator
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.controlnet import load_controlnet
from inference_container.models.faces import load_face_detector, load_face_generator, load_face_parser
from inference_container.models.files import ModelFile
from inference_container.models.interrogator import load_interrogator
from inference_container.models.loader import load_checkpoint
from inference_container.models.tagger import load_tagger
from inference_container.models.tensor_file import inspected as inspected_file
from inference_container.models.tiny_vae import load_tiny_vae
from inference_container.models.upscaler import load_upscaler
from inference_container.models.vae_file import load_vae
from inference_container.networks.hypernetwork import load_hypernetwork
from inference_container.networks.inversion_file import load_inversion_file
from inference_container.networks.network_file import load_network_file
from tests.model_files.corpus import ROWS, Row
from tests.tiny_checkpoint import tiny_config, write_tiny_checkpoint

CPU, WIDE = torch.device("cpu"), torch.float32
LOADERS: Mapping[AssetType, Callable[[ModelFile, Checkpoint], object]] = {
    AssetType.CHECKPOINT: lambda file, _: load_checkpoint(file, device=CPU, dtype=WIDE),
    AssetType.VAE: lambda file, _: _vae(file),
    AssetType.FACE_RESTORATION: lambda file, _: _face_part(file),
    AssetType.PREPROCESSOR: lambda file, _: _preprocessor(file),
    AssetType.LORA: lambda file, _: load_network_file(file),
    AssetType.EMBEDDING: lambda file, _: load_inversion_file(file),
    AssetType.HYPERNETWORK: lambda file, _: load_hypernetwork(file, device=CPU),
    AssetType.CONTROLNET: lambda file, checkpoint: load_controlnet(file, checkpoint=checkpoint),
    AssetType.UPSCALER: lambda file, _: load_upscaler(file, device=CPU),
    AssetType.TAGGER: lambda file, _: load_tagger(file, device=CPU, dtype=WIDE),
    AssetType.INTERROGATOR: lambda file, _: load_interrogator(file, device=CPU, dtype=WIDE),
}
TAKEN = "taken"


def _vae(file: ModelFile) -> object:
    if detect_family(inspected_file(file, AssetType.VAE).shapes) is Family.TINY_VAE:
        return load_tiny_vae(file, device=CPU, dtype=WIDE)
    return load_vae(file, like=tiny_config()["vae/config.json"], device=CPU, dtype=WIDE)


def _face_part(file: ModelFile) -> object:
    holds = face_family(inspected_file(file, AssetType.FACE_RESTORATION).shapes)
    loaders: dict[Family, Callable[..., object]] = {
        Family.FACE_DETECTOR: load_face_detector,
        Family.GFPGAN: load_face_generator,
        Family.FACE_PARSER: load_face_parser,
    }
    return loaders[holds](file, device=CPU)


def _preprocessor(file: ModelFile) -> object:
    if file.name.endswith(".onnx"):
        return load_annotator(file, file.name if file.name in PREPROCESSOR_FILES else "yolox_l.onnx", device=CPU)
    holds = preprocessor_family(inspected_file(file, AssetType.PREPROCESSOR).shapes)
    name = next(name for name, one in PREPROCESSOR_FILES.items() if one.family is holds)
    return load_annotator(file, name, device=CPU)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")
    return load_checkpoint(ModelFile(AssetType.CHECKPOINT, path.name, path, ""), device=CPU, dtype=WIDE)


def inspected(row: Row, data: bytes) -> tuple[str, FileFacts | None]:
    """What the inspection says, as a failure of the container would say it, and what it found."""
    try:
        return TAKEN, read_facts(MemoryBytes(data), name=row.name, asset_type=row.type)
    except BrokenFileError as broken:
        return f"{JobErrorCode.ASSET_CORRUPT}: {row.name} cannot be read: {broken}", None
    except RefusedFileError as refused:
        return f"{JobErrorCode.ASSET_INCOMPATIBLE}: {row.name} cannot be used: {refused}", None


def opened(row: Row, path: Path, checkpoint: Checkpoint) -> tuple[str, Any]:
    """What the container says when a job needs the file, and what it loaded."""
    file = ModelFile(row.type, row.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    try:
        return TAKEN, LOADERS[row.type](file, checkpoint)
    except JobFailed as failed:
        return f"{failed.error.code}: {failed.error.message}", None


@pytest.mark.parametrize("what", ROWS)
def test_a_file_has_one_verdict_in_one_wording(tmp_path: Path, checkpoint: Checkpoint, what: str) -> None:
    row = ROWS[what]
    path = tmp_path / row.name
    row.write(path)

    upload, facts = inspected(row, path.read_bytes())
    container, loaded = opened(row, path, checkpoint)

    assert upload == container
    assert (upload == TAKEN) is (row.refused is None)
    assert row.refused is None or re.search(row.refused, upload)
    if row.refused is None and row.type in (AssetType.LORA, AssetType.CHECKPOINT):
        architecture = loaded.architecture if row.type is AssetType.LORA else loaded.family
        assert facts is not None
        assert facts.architecture == architecture
