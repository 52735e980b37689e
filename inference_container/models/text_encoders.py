"""The text encoders of each family: a table of where files store them, and the loader for both layouts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from generate_on_cloud.model_files.checkpoint_names import ALONE, FIRST, HUGGING_FACE, OPEN_CLIP, SECOND, is_open_clip
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.files import ModelFile
from inference_container.models.model_config import ModelConfig
from inference_container.models.modules import State, Target, build_module, fill_module, read_state
from inference_container.models.tensor_file import TensorFile, corrupt
from inference_container.prompt.text_models import SD1_READING, Reading, TextKind, TextModel


@dataclass(frozen=True)
class TextRow:
    """One text encoder of a checkpoint file."""

    kind: TextKind
    place: str
    """Prefix of its tensors, before that of their layout."""
    reading: Reading
    folder: str = "text_encoder"
    """Folder of its configuration."""
    tokenizer: str = "tokenizer"
    """Folder of its tokenizer's configuration."""


_SD1 = (TextRow(TextKind.CLIP_L, ALONE, SD1_READING),)
_SD2 = (TextRow(TextKind.CLIP_H, ALONE, Reading()),)
_SDXL_READING = Reading(layer=2, normed=False, follows_when_asked=True)
_POOLED_READING = Reading(layer=2, normed=False, pooled=True)


def _clip_g(place: str) -> TextRow:
    return TextRow(TextKind.CLIP_G, place, _POOLED_READING, "text_encoder_2", "tokenizer_2")


_SDXL = (
    TextRow(TextKind.CLIP_L, FIRST, _SDXL_READING),
    _clip_g(SECOND),
)

TEXT_ENCODERS: Mapping[Family, tuple[TextRow, ...]] = MappingProxyType(
    {
        Family.SD1: _SD1,
        Family.SD1_INPAINT: _SD1,
        Family.INSTRUCT_PIX2PIX: _SD1,
        Family.SD2: _SD2,
        Family.SD2_INPAINT: _SD2,
        Family.SDXL: _SDXL,
        Family.SDXL_INPAINT: _SDXL,
        Family.SDXL_REFINER: (_clip_g(FIRST),),
    }
)
"""Text encoders in the order in which their vectors are concatenated."""

_OPEN_CLIP_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "token_embedding.weight": "embeddings.token_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_final.weight": "final_layer_norm.weight",
        "ln_final.bias": "final_layer_norm.bias",
    }
)
_OPEN_CLIP_PARTS = (
    ("ln_1.", "layer_norm1."),
    ("ln_2.", "layer_norm2."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
    ("attn.", "self_attn."),
)
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)")
_JOINED = ".in_proj_"


def load_text_models(
    file: ModelFile, tensors: TensorFile, config: ModelConfig, *, family: Family, target: Target
) -> tuple[TextModel, ...]:
    """Load all text encoders of a checkpoint.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible; the message names what is missing or does not fit.
    """
    return tuple(_load(file, tensors, config, row=row, target=target) for row in TEXT_ENCODERS[family])


def _load(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, row: TextRow, target: Target) -> TextModel:
    document = dict(config.text_encoders[row.folder])
    kind = CLIPTextModelWithProjection if row.reading.pooled else CLIPTextModel
    part = "text encoder" if len(config.text_encoders) == 1 else f"text encoder {row.kind}"
    module = build_module(file, part, lambda: kind(CLIPTextConfig.from_dict(document)))
    read = _open_clip_state if is_open_clip(tensors.shapes, row.place) else _hugging_face_state
    state = read(file, tensors, row, layers=module.config.num_hidden_layers, target=target)
    module = fill_module(file, part, module, state=state, device=target.device)
    return TextModel(module, config.pad_tokens[row.tokenizer], row.kind, row.reading)


def _hugging_face_state(file: ModelFile, tensors: TensorFile, row: TextRow, *, layers: int, target: Target) -> State:
    unused = ["text_model.embeddings.position_ids"]
    if not row.reading.pooled:
        unused.append("text_projection.weight")
    if row.kind is TextKind.CLIP_H:  # as below
        unused.append(f"text_model.encoder.layers.{layers}.")
    prefix = row.place + HUGGING_FACE
    skip = tuple(prefix + name for name in unused)
    state = read_state(file, tensors, f"text encoder {row.kind}", prefix=prefix, target=target, skip=skip)
    # transformers since 5.6 has the level `text_model` in models with a projection only.
    return state if row.reading.pooled else {name.removeprefix("text_model."): one for name, one in state.items()}


def _open_clip_state(file: ModelFile, tensors: TensorFile, row: TextRow, *, layers: int, target: Target) -> State:
    unused = ["attn_mask", "logit_scale"]
    if not row.reading.pooled:
        # The UNet of Stable Diffusion 2.x reads the penultimate layer, so its configuration ends there.
        unused += ["text_projection", f"transformer.resblocks.{layers}."]
    prefix = row.place + OPEN_CLIP
    skip = tuple(prefix + name for name in unused)
    state = read_state(file, tensors, f"text encoder {row.kind}", prefix=prefix, target=target, skip=skip)
    inner = "text_model." if row.reading.pooled else ""
    converted: State = {}
    for name, tensor in state.items():
        if name == "text_projection":
            converted["text_projection.weight"] = tensor.T.contiguous()
        else:
            converted |= {inner + new: part for new, part in _renamed(file, name, tensor).items()}
    return converted


def _renamed(file: ModelFile, name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Rename an OpenCLIP tensor for transformers; OpenCLIP stores the three projections of attention as one."""
    block = _BLOCK.fullmatch(name)
    if block is None:
        return {_OPEN_CLIP_NAMES.get(name, name): tensor}
    rest = block[2]
    for old, new in _OPEN_CLIP_PARTS:
        rest = new + rest.removeprefix(old) if rest.startswith(old) else rest
    new_name = f"encoder.layers.{block[1]}.{rest}"
    if _JOINED not in new_name:
        return {new_name: tensor}
    if len(tensor) % 3:
        raise corrupt(file, f"{name} of its text encoder has {len(tensor)} rows; allowed: a multiple of 3")
    place, _, kind = new_name.partition(_JOINED)
    thirds = torch.chunk(tensor, 3)
    return {f"{place}.{axis}_proj.{kind}": part.clone() for axis, part in zip("qkv", thirds, strict=True)}
