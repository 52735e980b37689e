"""What a model file is: read from its structure, held against the asset type its owner declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.families import Family, Shapes, detect_family
from generate_on_cloud.model_files.networks import CONTEXT_WIDTHS, network_base, network_kind, network_rank
from generate_on_cloud.model_files.other_formats import check_archive, check_onnx, check_png, check_styles
from generate_on_cloud.model_files.pickle_document import Made, Tensor
from generate_on_cloud.model_files.ranges import ByteSource, RefusedFileError
from generate_on_cloud.model_files.safetensors_header import read_safetensors_header
from generate_on_cloud.model_files.saved_tensors import read_torch_file, tensor_shapes
from generate_on_cloud.model_files.trained_words import trained_words

_TEXT_WIDTHS: Mapping[int, Family] = {768: Family.SD1, 1024: Family.SD2}
_DRAWS = (
    Family.SD1,
    Family.SD1_INPAINT,
    Family.INSTRUCT_PIX2PIX,
    Family.SD2,
    Family.SDXL,
    Family.SDXL_REFINER,
)
_OTHER_FORMATS: Mapping[str, Callable[[ByteSource], None]] = {
    ".onnx": check_onnx,
    ".png": check_png,
    ".zip": check_archive,
    ".csv": check_styles,
}


@dataclass(frozen=True)
class FileFacts:
    """What was found out; None and empty where the file does not tell."""

    architecture: str | None = None
    network_kind: str | None = None
    rank: int | None = None
    trained_words: tuple[str, ...] = ()
    data_start: int | None = None
    """Offset behind a safetensors header, from where AutoV3 hashes."""


@dataclass(frozen=True)
class _Content:
    shapes: Shapes
    metadata: Mapping[str, str]
    document: Any = None
    """The whole document of a pickle."""
    data_start: int | None = None


def read_facts(source: ByteSource, *, name: str, asset_type: AssetType) -> FileFacts:
    """Read structure and kind of the file; a few ranges, whatever its size.

    Raises:
        RefusedFileError: it is broken, hostile, or not what its type says.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _OTHER_FORMATS:
        _OTHER_FORMATS[suffix](source)
        return FileFacts()
    if suffix == ".safetensors":
        header = read_safetensors_header(source)
        content = _Content(header.shapes, header.metadata, data_start=header.data_start)
    else:
        document = read_torch_file(source)
        content = _Content(tensor_shapes(document), {}, document)
    return _KINDS.get(asset_type, _anything_else)(content)


def _checkpoint(content: _Content) -> FileFacts:
    family = detect_family(content.shapes)
    if family not in _DRAWS:
        allowed = ", ".join(family.value for family in _DRAWS)
        raise RefusedFileError(f"it holds {family.value}, not a checkpoint this version draws with ({allowed})")
    return FileFacts(architecture=family.value, data_start=content.data_start)


def _vae(content: _Content) -> FileFacts:
    return _of_family(content, Family.VAE)


def _network(content: _Content) -> FileFacts:
    kind = network_kind(content.shapes)
    if kind is None:
        raise RefusedFileError(f"it holds {_what(content)}, not a LoRA or one of its relatives")
    base = network_base(content.shapes, content.metadata)
    return FileFacts(
        architecture=base.value if base else None,
        network_kind=kind,
        rank=network_rank(content.shapes),
        trained_words=trained_words(content.metadata),
        data_start=content.data_start,
    )


def _embedding(content: _Content) -> FileFacts:
    shapes = content.shapes
    if isinstance(content.document, dict) and "string_to_param" in content.document:
        found = [value.shape for value in _tensors(content.document["string_to_param"])]
    elif "clip_l" in shapes and "clip_g" in shapes:
        return FileFacts(architecture=Family.SDXL.value, data_start=content.data_start)
    else:
        found = list(shapes.values()) if len(shapes) == 1 else []
    if len(found) != 1 or len(found[0]) not in (1, 2):
        raise RefusedFileError(f"it holds {_what(content)}, not a textual inversion embedding")
    base = _TEXT_WIDTHS.get(found[0][-1])
    return FileFacts(architecture=base.value if base else None, data_start=content.data_start)


def _hypernetwork(content: _Content) -> FileFacts:
    widths = [key for key in content.document if isinstance(key, int)] if isinstance(content.document, dict) else []
    if not widths:
        raise RefusedFileError(f"it holds {_what(content)}, not a hypernetwork")
    base = next((_TEXT_WIDTHS[width] for width in widths if width in _TEXT_WIDTHS), None)
    return FileFacts(architecture=base.value if base else None)


def _controlnet(content: _Content) -> FileFacts:
    bare = any(name.startswith(("input_hint_block.", "zero_convs.")) for name in content.shapes)
    if not bare and detect_family(content.shapes) is not Family.CONTROLNET:
        raise RefusedFileError(f"it holds {_what(content)}, not a ControlNet")
    widths = (
        shape[-1] for name, shape in content.shapes.items() if name.endswith("attn2.to_k.weight") and len(shape) == 2
    )
    base = next((CONTEXT_WIDTHS[width] for width in widths if width in CONTEXT_WIDTHS), None)
    return FileFacts(architecture=base.value if base else None, data_start=content.data_start)


def _anything_else(content: _Content) -> FileFacts:
    """Types whose files are too various to know: only what is surely another type is refused."""
    family = detect_family(content.shapes)
    if family in (*_DRAWS, Family.LORA, Family.CONTROLNET, Family.SD3, Family.FLUX):
        raise RefusedFileError(f"it holds {family.value}")
    if not content.shapes:
        raise RefusedFileError("it holds no named tensor")
    return FileFacts(data_start=content.data_start)


_KINDS: Mapping[AssetType, Callable[[_Content], FileFacts]] = {
    AssetType.CHECKPOINT: _checkpoint,
    AssetType.VAE: _vae,
    AssetType.LORA: _network,
    AssetType.EMBEDDING: _embedding,
    AssetType.HYPERNETWORK: _hypernetwork,
    AssetType.CONTROLNET: _controlnet,
}


def _of_family(content: _Content, wanted: Family) -> FileFacts:
    if detect_family(content.shapes) is not wanted:
        raise RefusedFileError(f"it holds {_what(content)}, not {wanted.value}")
    return FileFacts(data_start=content.data_start)


def _what(content: _Content) -> str:
    kind = network_kind(content.shapes)
    return f"a {kind} network" if kind else detect_family(content.shapes).value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Made):
        value = {**value.state, **value.state.get("_parameters", {})}
    return [item for item in value.values() if isinstance(item, Tensor)] if isinstance(value, dict) else []
