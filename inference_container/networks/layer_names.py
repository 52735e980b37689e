"""All layers of a checkpoint by their names in network files: those of diffusers and LDM, as kohya writes them."""

from collections.abc import Iterator
from typing import Any

import torch

from inference_container.models.checkpoint import Checkpoint

UNET = "lora_unet_"
ONLY_TEXT_ENCODER = ("lora_te_", "lora_te1_")
TWO_TEXT_ENCODERS = (("lora_te1_",), ("lora_te2_",))
_RESIDUAL = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)
_OUTSIDE_BLOCKS = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_in", "input_blocks.0.0"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
)
"""Pairs of a path in diffusers and the same path in LDM."""


Layers = dict[str, torch.nn.Module]


def checkpoint_layers(checkpoint: Checkpoint) -> Layers:
    """All layers that a network may change."""
    texts = [text.encoder for text in checkpoint.text_models]
    prefixes = (ONLY_TEXT_ENCODER,) if len(texts) == 1 else TWO_TEXT_ENCODERS
    layers = unet_layers(checkpoint.unet)
    for text_encoder, names in zip(texts, prefixes, strict=True):
        layers |= text_layers(text_encoder, names)
    return layers


def is_text(layer: str) -> bool:
    """Whether the layer with this name belongs to a text encoder and not to the UNet."""
    return not layer.startswith(UNET)


def unet_layers(unet: Any) -> Layers:
    """Modules with a weight, under both names `lora_unet_…`; kohya's SDXL scripts use LDM's."""
    named = dict(ldm_paths(unet))
    layers = {}
    for path, module in _weighted(unet):
        layers[UNET + _joined(path)] = module
        known = next((parent for parent in _with_parents(path) if parent in named), None)
        if known is not None:
            layers[UNET + _joined(named[known] + path.removeprefix(known))] = module
    return layers


def text_layers(text_encoder: Any, prefixes: tuple[str, ...]) -> Layers:
    """Modules with a weight, `lora_te_text_model_…`; files always have the level `text_model`, modules may not."""
    layers = {}
    for path, module in _weighted(text_encoder):
        bare = path.removeprefix("text_model.")
        for prefix in prefixes:
            layers[f"{prefix}{_joined(bare)}"] = module
            layers[f"{prefix}text_model_{_joined(bare)}"] = module
    return layers


def _weighted(model: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    for path, module in model.named_modules():
        if isinstance(getattr(module, "weight", None), torch.nn.Parameter):
            yield path, module


def _joined(path: str) -> str:
    return path.replace(".", "_")


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def ldm_paths(unet: Any) -> Iterator[tuple[str, str]]:
    """Paths in diffusers' UNet with their names in LDM; below these paths the names are equal."""
    yield from _OUTSIDE_BLOCKS
    place = 1
    for level, block in enumerate(unet.down_blocks):
        for number in range(len(block.resnets)):
            yield from _stage(block, f"down_blocks.{level}", number, f"input_blocks.{place}")
            place += 1
        if block.downsamplers:
            yield f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{place}.0.op"
            place += 1
    yield from _residual("mid_block.resnets.0", "middle_block.0")
    yield "mid_block.attentions.0", "middle_block.1"
    yield from _residual("mid_block.resnets.1", "middle_block.2")
    place = 0
    for level, block in enumerate(unet.up_blocks):
        for number in range(len(block.resnets)):
            yield from _stage(block, f"up_blocks.{level}", number, f"output_blocks.{place}")
            place += 1
        if block.upsamplers:
            after = 2 if _attends(block) else 1
            yield f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{place - 1}.{after}.conv"


def _stage(block: Any, path: str, number: int, ldm: str) -> Iterator[tuple[str, str]]:
    yield from _residual(f"{path}.resnets.{number}", f"{ldm}.0")
    if _attends(block):
        yield f"{path}.attentions.{number}", f"{ldm}.1"


def _residual(path: str, ldm: str) -> Iterator[tuple[str, str]]:
    yield from ((f"{path}.{ours}", f"{ldm}.{theirs}") for ours, theirs in _RESIDUAL)


def _attends(block: Any) -> bool:
    return bool(getattr(block, "attentions", None))
