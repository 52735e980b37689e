"""The model files of a folder of goldens, passed to jobs like uploaded files."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.models.model_config import PACKED_CONFIG

FOLDERS: Mapping[str, AssetType] = {
    "Stable-diffusion": AssetType.CHECKPOINT,
    "VAE": AssetType.VAE,
    "Lora": AssetType.LORA,
    "embeddings": AssetType.EMBEDDING,
    "hypernetworks": AssetType.HYPERNETWORK,
    "ESRGAN": AssetType.UPSCALER,
    "ControlNet": AssetType.CONTROLNET,
}
"""Asset types by WebUI's folders below `models`."""
STYLES = "styles.csv"
SUFFIXES = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".png", ".webp"})
SHORT_HASH = 10


class ModelShelf:
    """All models that a folder of goldens was made with; derived models are written to `work`."""

    def __init__(self, *, base: Path, models: Path | None, work: Path) -> None:
        """Collect the base goldens' checkpoint and the files below `models`, if any."""
        self.files: list[ModelFile] = [repack_model(base, to=work)]
        if models is not None:
            self.files += _read_models(_with_derived(models, base=base, work=work))
        self.cache = ModelCache(
            max_bytes=2**33,
            load=lambda file: load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32),
        )

    @property
    def job_files(self) -> JobFiles:
        return JobFiles(self.files)

    def checkpoint(self, name: str | None) -> Checkpoint:
        """Load the checkpoint called `name`, or that of the base goldens if `name` is None.

        Raises:
            JobFailed: the file does not exist or cannot be loaded.
        """
        file = self.files[0] if name is None else self.job_files.named(AssetType.CHECKPOINT, name)
        return self.cache.checkpoint(file)


def repack_model(folder: Path, *, to: Path) -> ModelFile:
    """The goldens' checkpoint with its configuration packed in, as a user's file with the original's name and hash."""
    model = folder / "model"
    architecture = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    config: dict[str, Any] = {
        "unet/config.json": _without_notes(architecture["unet_diffusers"]),
        "vae/config.json": _without_notes(architecture["vae_diffusers"]),
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], **architecture["clip"]},
        "scheduler/scheduler_config.json": {
            **architecture["scheduler"],
            "prediction_type": architecture["prediction_type"],
        },
    }
    for path in sorted((model / "tiny_clip").iterdir()):
        if path.name != "config.json":
            config[f"tokenizer/{path.name}"] = path.read_text(encoding="utf-8")
    (original,) = model.glob("*.safetensors")
    packed = to / original.name
    save_file(load_file(original), packed, metadata={PACKED_CONFIG: json.dumps(config)})
    return _model_file(AssetType.CHECKPOINT, packed, sha256=file_sha256(original))


def _with_derived(models: Path, *, base: Path, work: Path) -> Path:
    """A copy of `models` with the files that its derive*.py write; the first line of each gives its arguments."""
    scripts = sorted(models.glob("derive*.py"))
    if not scripts:
        return models
    copy = work / "models"
    shutil.copytree(models, copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    meant = {"GOLDENS": base, "OUT": copy, "MODELS": copy / "Stable-diffusion"}
    for script in scripts:
        usage = script.read_text(encoding="utf-8").partition(":")[0].strip('"').split()[1:]
        subprocess.run(
            [sys.executable, script, *(meant[word] for word in usage)], check=True, stdout=subprocess.DEVNULL
        )
    return copy


def _read_models(models: Path) -> list[ModelFile]:
    files = [
        _model_file(kind, path)
        for folder, kind in FOLDERS.items()
        for path in sorted((models / folder).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    styles = models / STYLES
    return [*files, *([_model_file(AssetType.STYLES, styles)] if styles.exists() else [])]


def _model_file(kind: AssetType, path: Path, *, sha256: str | None = None) -> ModelFile:
    sha256 = sha256 or file_sha256(path)
    references: list[str] = []
    if kind is AssetType.CHECKPOINT:
        references = [f"{name} [{sha256[:SHORT_HASH]}]" for name in (path.name, path.stem)]
    elif kind is AssetType.LORA:
        alias = read_facts(MemoryBytes(path.read_bytes()), name=path.name, asset_type=kind).alias
        references = [] if alias is None else [alias]
    return ModelFile(kind, path.name, path, sha256, tuple(references))


def file_sha256(path: Path) -> str:
    """SHA-256 of the file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _without_notes(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not key.startswith("_note")}
