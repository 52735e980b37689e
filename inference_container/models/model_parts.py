"""Reads an asset that contains several models, with their configurations, word lists and weights, in one file."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pydantic import JsonValue

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.archive_contents import WEIGHTS
from inference_container.models.archive import Archive, open_archive
from inference_container.models.files import ModelFile
from inference_container.models.model_config import PACKED_CONFIG, read_object
from inference_container.models.tensor_file import TensorFile, incompatible, open_tensor_file

LISTS = "lists"
"""Folder of the word lists."""


@dataclass(frozen=True)
class ModelPart:
    """One model of an asset: the contents of its folder in transformers' layout."""

    file: ModelFile
    folder: str
    config: Mapping[str, JsonValue]
    texts: Mapping[str, Callable[[], str]]
    """The folder's other text files by name."""
    tensors: Callable[[], AbstractContextManager[TensorFile]]

    def text(self, name: str) -> str:
        """The content of a text file in the folder.

        Raises:
            JobFailed: asset_incompatible, if the file does not exist.
        """
        if name not in self.texts:
            raise incompatible(self.file, f"its folder {self.folder!r} has no {name}")
        return self.texts[name]()


@dataclass(frozen=True)
class ModelParts:
    parts: tuple[ModelPart, ...]
    lists: Mapping[str, Callable[[], str]]
    """Word lists by file name without `.txt`, sorted."""


@contextmanager
def open_model_parts(file: ModelFile) -> Iterator[ModelParts]:
    """Open an asset with models in folders and word lists in `lists`. The result is valid inside the block only.

    A .zip contains the folders as they are. In a .safetensors, the tensors are named `folder.…` and the texts are
    packed into the header (docs/architecture/02-assets.md).

    Raises:
        JobFailed: asset_corrupt or asset_incompatible; the message names the error.
    """
    if file.name.lower().endswith(".zip"):
        with open_archive(file, holding=AssetType.INTERROGATOR) as archive:
            yield _zipped(archive)
    else:
        with open_tensor_file(file, holding=AssetType.INTERROGATOR) as tensors:
            yield _packed(file, tensors)


def _zipped(archive: Archive) -> ModelParts:
    folders = sorted(str(PurePosixPath(name).parent) for name in archive.members if _name(name) == "config.json")
    parts = tuple(_zipped_part(archive, "" if folder == "." else folder) for folder in folders)
    lists = {
        _name(name).removesuffix(".txt"): _reading(archive, name)
        for name in sorted(archive.members)
        if PurePosixPath(name).parent.name == LISTS and name.endswith(".txt")
    }
    return ModelParts(parts, lists)


def _zipped_part(archive: Archive, folder: str) -> ModelPart:
    texts = {
        _name(name): _reading(archive, name)
        for name in (*archive.below(folder, ".txt"), *archive.below(folder, ".json"))
    }
    weights = str(PurePosixPath(folder) / WEIGHTS)

    @contextmanager
    def tensors() -> Iterator[TensorFile]:
        if weights not in archive.members:
            raise incompatible(archive.file, f"it has no {weights}")
        with archive.unpacked(weights) as file, open_tensor_file(file) as opened:
            yield opened

    config = texts.pop("config.json")()
    return ModelPart(
        archive.file, folder, read_object(archive.file, config, what=f"{folder}/config.json in it"), texts, tensors
    )


def _reading(archive: Archive, name: str) -> Callable[[], str]:
    return lambda: archive.text(name)


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _packed(file: ModelFile, tensors: TensorFile) -> ModelParts:
    packed = tensors.metadata.get(PACKED_CONFIG)
    if packed is None:
        raise incompatible(file, f"its header has no {PACKED_CONFIG}; pack the models' folders into a .zip instead")
    texts = read_packed(file, packed)
    parts = []
    for name in sorted(texts):
        folder, _, last = name.rpartition("/")
        if last == "config.json":
            own = {
                _name(other): _saying(text)
                for other, text in texts.items()
                if other.startswith(f"{folder}/") and other != name
            }
            parts.append(
                ModelPart(
                    file,
                    folder,
                    read_object(file, texts[name], what=f"{name} in it"),
                    own,
                    _below(tensors, f"{folder}."),
                )
            )
    lists = {
        _name(name).removesuffix(".txt"): _saying(texts[name])
        for name in sorted(texts)
        if name.startswith(f"{LISTS}/") and name.endswith(".txt")
    }
    return ModelParts(tuple(parts), lists)


def read_packed(file: ModelFile, packed: str) -> dict[str, str]:
    """The texts in a header's `generate_on_cloud.config` by path.

    Raises:
        JobFailed: asset_incompatible, if it is not a JSON object.
    """
    return {
        name: content if isinstance(content, str) else json.dumps(content)
        for name, content in read_object(file, packed, what=f"{PACKED_CONFIG} in it").items()
    }


def _saying(text: str) -> Callable[[], str]:
    return lambda: text


def _below(tensors: TensorFile, prefix: str) -> Callable[[], AbstractContextManager[TensorFile]]:
    @contextmanager
    def opened() -> Iterator[TensorFile]:
        shapes = {name.removeprefix(prefix): shape for name, shape in tensors.shapes.items() if name.startswith(prefix)}
        yield replace(tensors, shapes=shapes, read=lambda name: tensors.read(prefix + name))

    return opened
