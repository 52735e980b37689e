"""Which asset type a file on this machine has: its content decides, else the folder it is in."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.model_yaml import SUFFIXES as YAML_SUFFIXES
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.refusals import RefusedFileError

RECOGNIZED = (
    AssetType.CHECKPOINT, AssetType.LORA, AssetType.CONTROLNET, AssetType.VAE, AssetType.HYPERNETWORK,
    AssetType.EMBEDDING, AssetType.FACE_RESTORATION, AssetType.PREPROCESSOR,
)  # fmt: skip
"""Types whose files cannot be taken for another; those of the others vary too much."""
FOLDERS: Mapping[str, AssetType] = {
    **{rule.webui_folder.lower(): asset_type for asset_type, rule in ASSET_TYPES.items()},
    **{asset_type.value: asset_type for asset_type in AssetType},
    "checkpoints": AssetType.CHECKPOINT, "loras": AssetType.LORA, "lycoris": AssetType.LORA,
    "realesrgan": AssetType.UPSCALER, "dat": AssetType.UPSCALER, "swinir": AssetType.UPSCALER,
    "scunet": AssetType.UPSCALER, "upscale_models": AssetType.UPSCALER, "upscalers": AssetType.UPSCALER,
    "facerestore_models": AssetType.FACE_RESTORATION, "facedetection": AssetType.FACE_RESTORATION,
}  # fmt: skip
"""Names of folders in lower case: WebUI's and ComfyUI's."""
NEXT_TO_MODELS = {".png", ".csv", ".zip"}
"""Endings that also belong to previews and notes: taken from a folder only where its name says so."""


class ModelFile(NamedTuple):
    path: Path
    type: AssetType


def models_in(paths: Sequence[Path], declared: AssetType | None) -> tuple[list[ModelFile], list[Path]]:
    """The model files among these files and folders with their types, and the files of folders that are no models.

    Raises:
        CloudError: a file's type cannot be found, or is not the declared one, or a folder has no model.
    """
    models: list[ModelFile] = []
    skipped: list[Path] = []
    for path in paths:
        if not path.is_dir():
            models.append(ModelFile(path, type_of(path, declared)))
            continue
        inside = list(_inside(path, declared, skipped))
        if not inside:
            endings = ", ".join(sorted({ending for rule in ASSET_TYPES.values() for ending in rule.extensions}))
            raise CloudError(f"{path} has no model files; allowed: {endings}")
        models += inside
    return models, skipped


def type_of(path: Path, declared: AssetType | None = None) -> AssetType:
    """The type of a file.

    Raises:
        CloudError: the content is of another type than declared, or nothing shows the type.
    """
    if path.suffix.lower() in YAML_SUFFIXES and declared in (None, AssetType.CHECKPOINT):
        return AssetType.CHECKPOINT
    seen = type_by_content(path)
    if declared is not None:
        if seen is not None and seen is not declared:
            raise CloudError(f"{path.name} is {_a(seen)} and not {_a(declared)}; leave out --type, or give {seen}")
        return declared
    found = seen or type_by_folder(path)
    if found is None:
        allowed = ", ".join(AssetType)
        raise CloudError(f"neither {path.name} nor its folder shows what it is; give --type: {allowed}")
    return found


def type_by_content(path: Path) -> AssetType | None:
    """The only type that the file's content fits; None if it fits several, none, or cannot be read."""
    suffix = path.suffix.lower()
    fitting = []
    for asset_type in RECOGNIZED:
        if suffix not in ASSET_TYPES[asset_type].extensions or suffix in NEXT_TO_MODELS:
            continue
        try:
            read_facts(FileBytes(path), name=path.name, asset_type=asset_type)
        except (RefusedFileError, OSError):
            continue
        fitting.append(asset_type)
    return fitting[0] if len(fitting) == 1 else None


def type_by_folder(path: Path) -> AssetType | None:
    """The type that the nearest folder with a known name has, if it takes files with this ending."""
    for folder in path.absolute().parents:
        found = FOLDERS.get(folder.name.lower())
        if found is not None:
            return found if path.suffix.lower() in ASSET_TYPES[found].extensions else None
    return None


def _inside(folder: Path, declared: AssetType | None, skipped: list[Path]) -> Iterator[ModelFile]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        suffix = path.suffix.lower()
        kind = type_by_folder(path) if suffix in NEXT_TO_MODELS else None
        if suffix in NEXT_TO_MODELS and kind is None:
            skipped.append(path)
        elif any(suffix in rule.extensions for rule in ASSET_TYPES.values()):
            yield ModelFile(path, type_of(path, declared))
        else:
            skipped.append(path)


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
