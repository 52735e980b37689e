"""Facts about a model file, read from its structure and checked against the asset type its owner declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from generate_on_cloud.contract.assets import AssetType, PredictionType
from generate_on_cloud.model_files.architectures import CONTEXT_WIDTHS
from generate_on_cloud.model_files.archive_contents import check_archive
from generate_on_cloud.model_files.contents import FileContent, read_content
from generate_on_cloud.model_files.embedding_pictures import numbers_shapes, read_embedding_picture
from generate_on_cloud.model_files.face_files import face_family
from generate_on_cloud.model_files.families import detect_family
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.hypernetworks import check_hypernetwork
from generate_on_cloud.model_files.inversions import inversion_architecture, stored_vectors, vector_names
from generate_on_cloud.model_files.mistaken_files import refuse_mistaken
from generate_on_cloud.model_files.native_sizes import native_size
from generate_on_cloud.model_files.networks import read_network
from generate_on_cloud.model_files.onnx_preprocessors import read_onnx_preprocessor
from generate_on_cloud.model_files.other_formats import check_onnx, check_styles
from generate_on_cloud.model_files.prediction_types import marked_prediction
from generate_on_cloud.model_files.preprocessor_files import preprocessor_family
from generate_on_cloud.model_files.ranges import ByteSource
from generate_on_cloud.model_files.saved_tensors import tensor_shapes
from generate_on_cloud.model_files.tiny_vaes import tiny_vae_layers
from generate_on_cloud.model_files.trained_words import trained_words
from generate_on_cloud.model_files.uses import (
    checkpoint_family,
    controlnet_prefix,
    controlnet_words,
    has_vae,
    refuse_other_types,
    vae_names,
)

_OTHER_FORMATS: Mapping[str, Callable[[ByteSource], None]] = {
    ".onnx": check_onnx,
    ".csv": check_styles,
}

OUTPUT_NAME = "ss_output_name"
"""Metadata key of kohya's trainer for the network's output name."""
UNNAMED = "None"
"""The output name that it writes if none was given."""
MAX_ALIAS = 200


@dataclass(frozen=True)
class FileFacts:
    """What the file shows about itself; None or empty where it shows nothing."""

    architecture: str | None = None
    network_kind: str | None = None
    rank: int | None = None
    trained_words: tuple[str, ...] = ()
    alias: str | None = None
    """The name that WebUI's cards write into prompts instead of a network's file name."""
    lacks_vae: bool = False
    """Whether it is a checkpoint without a VAE, which draws with one that the request chooses."""
    prediction_type: PredictionType | None = None
    """What a checkpoint's tensors or header say that it predicts."""
    native_size: tuple[int, int] | None = None
    """Width and height in pixels of the pictures that a checkpoint learned, as its header says."""
    data_start: int | None = None
    """Offset of the first byte after a safetensors header, where the AutoV3 hash starts."""


def read_facts(source: ByteSource, *, name: str, asset_type: AssetType) -> FileFacts:
    """Read a file's structure with a few range reads, and check that it fits the asset type.

    Raises:
        RefusedFileError: the file is broken, hostile, or of another type.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix != ".csv":
        refuse_mistaken(source, suffix)
    if suffix == ".zip":
        check_archive(source, asset_type)
        return FileFacts()
    if suffix == ".png":
        return _embedding_picture(source)
    if suffix == ".onnx" and asset_type is AssetType.PREPROCESSOR:
        return FileFacts(architecture=read_onnx_preprocessor(source).family)
    if suffix in _OTHER_FORMATS:
        _OTHER_FORMATS[suffix](source)
        return FileFacts()
    return content_facts(read_content(source, name=name), asset_type)


def content_facts(content: FileContent, asset_type: AssetType) -> FileFacts:
    """The facts that a file's tensors show; the container reads them before it loads any tensor.

    Raises:
        RefusedFileError: the tensors do not belong to a file of this type.
    """
    return _TYPES.get(asset_type, _other)(content)


def _checkpoint(content: FileContent) -> FileFacts:
    facts = _facts(content, checkpoint_family(content.shapes))
    marked = marked_prediction(content.shapes, content.metadata)
    size = native_size(content.metadata)
    return replace(facts, lacks_vae=not has_vae(content.shapes), prediction_type=marked, native_size=size)


def _vae(content: FileContent) -> FileFacts:
    if detect_family(content.shapes) is Family.TINY_VAE:
        tiny_vae_layers(content.shapes)
        return _facts(content, Family.TINY_VAE)
    vae_names(content.shapes)
    return _facts(content)


def _network(content: FileContent) -> FileFacts:
    network = read_network(content.shapes, content.metadata)
    return FileFacts(
        architecture=_word(network.architecture),
        network_kind=network.kind,
        rank=network.rank,
        trained_words=trained_words(content.metadata),
        alias=_alias(content.metadata),
        data_start=content.data_start,
    )


def _alias(metadata: Mapping[str, str]) -> str | None:
    name = metadata.get(OUTPUT_NAME, "")
    return name if 0 < len(name) <= MAX_ALIAS and name != UNNAMED else None


def _embedding(content: FileContent) -> FileFacts:
    shapes = tensor_shapes(stored_vectors(content.document)) if content.document else content.shapes
    return _facts(content, inversion_architecture(shapes, vector_names(shapes)))


def _embedding_picture(source: ByteSource) -> FileFacts:
    shapes = numbers_shapes(stored_vectors(read_embedding_picture(source)))
    return FileFacts(architecture=_word(inversion_architecture(shapes, vector_names(shapes))))


def _hypernetwork(content: FileContent) -> FileFacts:
    widths = check_hypernetwork(content.document)
    return _facts(content, next((_TEXT_WIDTHS[width] for width in widths if width in _TEXT_WIDTHS), None))


def _controlnet(content: FileContent) -> FileFacts:
    controlnet_prefix(content.shapes)
    return _facts(content, CONTEXT_WIDTHS.get(controlnet_words(content.shapes)))


def _face_part(content: FileContent) -> FileFacts:
    return _facts(content, face_family(content.shapes))


def _preprocessor(content: FileContent) -> FileFacts:
    return _facts(content, preprocessor_family(content.shapes))


def _other(content: FileContent) -> FileFacts:
    refuse_other_types(content.shapes)
    return _facts(content)


def _facts(content: FileContent, architecture: Family | None = None) -> FileFacts:
    return FileFacts(architecture=_word(architecture), data_start=content.data_start)


def _word(architecture: Family | None) -> str | None:
    return None if architecture is None else architecture.value


_TEXT_WIDTHS: Mapping[int, Family] = {768: Family.SD1, 1024: Family.SD2}
_TYPES: Mapping[AssetType, Callable[[FileContent], FileFacts]] = {
    AssetType.CHECKPOINT: _checkpoint,
    AssetType.VAE: _vae,
    AssetType.LORA: _network,
    AssetType.EMBEDDING: _embedding,
    AssetType.HYPERNETWORK: _hypernetwork,
    AssetType.CONTROLNET: _controlnet,
    AssetType.FACE_RESTORATION: _face_part,
    AssetType.PREPROCESSOR: _preprocessor,
}
