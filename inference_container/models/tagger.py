"""Taggers of both kinds: DeepDanbooru's torch network, and ONNX networks like WD14 with their list of tags."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from inference_container.interrogation.tagging import Tag
from inference_container.models.archive import open_archive
from inference_container.models.deepdanbooru import DeepDanbooru, LayoutError
from inference_container.models.files import ModelFile
from inference_container.models.model_config import PACKED_CONFIG
from inference_container.models.model_parts import read_packed
from inference_container.models.onnx_tagger import load_onnx_tagger
from inference_container.models.tensor_file import corrupt, incompatible, open_tensor_file, read_pickle
from inference_container.models.transformer_part import memory_of
from inference_container.pictures.resizing import resize

SIDE = 512
"""Side length in pixels of DeepDanbooru's square input."""
THRESHOLD = 0.5
RATING = "rating:"
MAX_TAGS = 200_000


class Tagger(Protocol):
    @property
    def tags(self) -> Sequence[Tag]:
        """The tags in the order of the scores."""

    @property
    def bytes(self) -> int:
        """Memory that it takes."""

    def score(self, image: Image.Image) -> Sequence[float]:
        """Probabilities of the tags, for a picture of any mode and size."""


@dataclass
class DeepDanbooruTagger:
    network: DeepDanbooru
    tags: tuple[Tag, ...]
    device: torch.device
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return memory_of(self.network)

    def move_to(self, device: torch.device) -> None:
        """Move to another device and run there."""
        self.network.to(device)
        self.device = device

    def score(self, image: Image.Image) -> Sequence[float]:
        """Probabilities of the tags. Transparency is dropped; gaps are filled by repeating the edge pixels."""
        shown = resize(image.convert("RGB"), mode=2, width=SIDE, height=SIDE)
        pixels = torch.from_numpy(np.array(shown, dtype=np.float32) / 255)[None]
        scores: list[float] = self.network(pixels.to(self.device, self.dtype))[0].float().tolist()
        return scores


def load_tagger(file: ModelFile, *, device: torch.device, dtype: torch.dtype) -> Tagger:
    """Load a tagger from a `.pt` or `.safetensors` (DeepDanbooru) or from a `.zip` (an .onnx and a .csv).

    Raises:
        JobFailed: asset_corrupt if the file cannot be read, asset_incompatible if it contains something else.
    """
    name = file.name.lower()
    if name.endswith(".zip"):
        with open_archive(file, holding=AssetType.TAGGER) as archive:
            return load_onnx_tagger(archive)
    if name.endswith(".safetensors"):
        with open_tensor_file(file, holding=AssetType.TAGGER) as tensors:
            packed = tensors.metadata.get(PACKED_CONFIG)
            texts = {} if packed is None else read_packed(file, packed)
            state = {key: tensors.read(key).to(device, dtype, copy=True) for key in tensors.shapes}
        tags: object = texts["tags.txt"].splitlines() if "tags.txt" in texts else None
    else:
        document = read_pickle(file, holding=AssetType.TAGGER)
        tags = document.get("tags")
        state = {key: value.to(device, dtype) for key, value in document.items() if isinstance(value, Tensor)}
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags) or len(tags) > MAX_TAGS:
        raise incompatible(
            file, "it has no list of tags (expected: `tags` in a .pt, a packed `tags.txt` in a .safetensors)"
        )
    network = _network(file, state, count=len(tags)).to(device)
    known = tuple(Tag(tag, THRESHOLD, rating=tag.startswith(RATING)) for tag in tags)
    return DeepDanbooruTagger(network, known, device, dtype)


def _network(file: ModelFile, state: dict[str, Tensor], *, count: int) -> DeepDanbooru:
    kernels = {}
    for name, tensor in state.items():
        number, _, kind = name.removeprefix("n_Conv_").partition(".")
        if not name.startswith("n_Conv_") or not number.isdecimal() or kind not in {"weight", "bias"}:
            raise incompatible(
                file, f"it has a tensor {name!r}; a DeepDanbooru network has n_Conv_0.weight, n_Conv_0.bias, …"
            )
        if kind == "weight":
            if tensor.ndim != 4 or tensor.shape[2] != tensor.shape[3]:
                raise incompatible(file, f"its {name} has the shape {list(tensor.shape)}, which is not a square kernel")
            kernels[int(number)] = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
    try:
        with torch.device("meta"):
            network = DeepDanbooru(kernels)
    except LayoutError as error:
        raise incompatible(file, f"it is not a DeepDanbooru network: {error}") from error
    if network.head.out_channels != count:
        raise incompatible(file, f"it has {count} tags, but its network has outputs for {network.head.out_channels}")
    wanted = {ours: parameter.shape for ours, parameter in network.named_parameters()}
    filled = {}
    for ours, theirs in network.file_names.items():
        if theirs not in state:
            raise corrupt(file, f"it lacks {theirs}")
        if state[theirs].shape != wanted[ours]:
            raise incompatible(
                file, f"its {theirs} has the shape {list(state[theirs].shape)}, expected {list(wanted[ours])}"
            )
        filled[ours] = state[theirs]
    network.load_state_dict(filled, assign=True)
    return network.requires_grad_(False).eval()
