"""Writes random checkpoints of Stable Diffusion 2.x, XL and the XL refiner in LDM layout with OpenCLIP's names."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.model_files.family_names import Family
from tests.tiny_checkpoint import (
    CONFIG_KEY,
    TEXT_LAYERS,
    TEXT_WIDTH,
    VAE_WIDTHS,
    Shapes,
    Sizes,
    affine,
    calm_vae,
    random_tensor,
    tiny_config,
    tiny_state,
    tiny_vocabulary,
    unet_shapes,
    vae_shapes,
)

OPEN_WIDTH, OPEN_LAYERS, PROJECTION, ID_WIDTH = 48, 3, 24, 8
XL_WIDTHS = (16, 32, 32)
OLD_CLIP = "cond_stage_model.transformer."


@dataclass(frozen=True)
class OpenClip:
    """Sizes of OpenCLIP's text encoder."""

    width: int
    layers: int
    projection: int
    vocabulary: int


TINY_OPEN_CLIP = OpenClip(OPEN_WIDTH, OPEN_LAYERS, PROJECTION, len(tiny_vocabulary()))


@dataclass(frozen=True)
class Recipe:
    sizes: Sizes
    clip_l: str | None
    """Prefix of an encoder with Hugging Face's names."""
    open_clip: str
    pooled: bool
    down: tuple[str, ...]


def _sizes(context: int, *, vector: int = 0, channels: int = 4, widths: tuple[int, ...] = XL_WIDTHS) -> Sizes:
    depths = (0, 1, 2) if vector else (1, 1, 1, 0)
    return Sizes(
        widths,
        VAE_WIDTHS,
        TEXT_WIDTH,
        TEXT_LAYERS,
        len(tiny_vocabulary()),
        in_channels=channels,
        depths=depths,
        linear=True,
        context=context,
        vector=vector,
    )


_XL_DOWN = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
_SD2_DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
_XL_L, _XL_G = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."


def _xl(channels: int) -> Recipe:
    sizes = _sizes(TEXT_WIDTH + OPEN_WIDTH, vector=PROJECTION + 6 * ID_WIDTH, channels=channels)
    return Recipe(sizes, _XL_L, _XL_G, pooled=True, down=_XL_DOWN)


def _sd2(channels: int) -> Recipe:
    sizes = _sizes(OPEN_WIDTH, channels=channels, widths=(16, 32, 32, 32))
    return Recipe(sizes, None, "cond_stage_model.model.", pooled=False, down=_SD2_DOWN)


RECIPES = {
    Family.SD2: _sd2(4),
    Family.SD2_INPAINT: _sd2(9),
    Family.SDXL: _xl(4),
    Family.SDXL_INPAINT: _xl(9),
    Family.SDXL_REFINER: Recipe(
        _sizes(OPEN_WIDTH, vector=PROJECTION + 5 * ID_WIDTH),
        None,
        "conditioner.embedders.0.model.",
        pooled=True,
        down=_XL_DOWN,
    ),
}


def write_family(path: Path, family: Family, *, seed: int = 0, extra: Mapping[str, Tensor] | None = None) -> Path:
    """Write a checkpoint of `family` with `extra` tensors to `path` and return that."""
    packed = {CONFIG_KEY: json.dumps(family_config(family))}
    save_file({**family_state(family, seed=seed), **(extra or {})}, path, metadata=packed)
    return path


def family_state(family: Family, *, seed: int = 0) -> dict[str, Tensor]:
    """All tensors by their names in the file."""
    recipe, generator = RECIPES[family], torch.Generator().manual_seed(seed)
    shapes = (
        *unet_shapes(recipe.sizes),
        *vae_shapes(recipe.sizes),
        *open_clip_shapes(recipe.open_clip, TINY_OPEN_CLIP),
    )
    state = {name: random_tensor(name, shape, generator) for name, shape in shapes}
    calm_vae(state)
    state[f"{recipe.open_clip}ln_final.bias"] += 0.5
    if recipe.clip_l is not None:
        state |= {
            recipe.clip_l + name.removeprefix(OLD_CLIP): tensor
            for name, tensor in tiny_state(seed=seed).items()
            if name.startswith(OLD_CLIP)
        }
    return state


def family_config(family: Family) -> dict[str, Any]:
    """What the tensors do not show."""
    recipe, config = RECIPES[family], tiny_config(in_channels=RECIPES[family].sizes.in_channels)
    sizes, text = recipe.sizes, config.pop("text_encoder/config.json")
    config["unet/config.json"] |= {
        "down_block_types": list(recipe.down),
        "up_block_types": [name.replace("Down", "Up") for name in reversed(recipe.down)],
        "block_out_channels": list(sizes.unet_widths),
        "cross_attention_dim": sizes.context,
        "use_linear_projection": True,
    }
    if sizes.vector:
        config["vae/config.json"]["scaling_factor"] = 0.13025
        config["unet/config.json"] |= {
            "transformer_layers_per_block": [max(depth, 1) for depth in sizes.depths],
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": ID_WIDTH,
            "projection_class_embeddings_input_dim": sizes.vector,
        }
    open_clip = {
        **text,
        "hidden_size": OPEN_WIDTH,
        "intermediate_size": 4 * OPEN_WIDTH,
        "projection_dim": PROJECTION,
        # The last layer of Stable Diffusion 2.x's text encoder is in the file, but never read.
        "num_hidden_layers": OPEN_LAYERS if recipe.pooled else OPEN_LAYERS - 1,
        "hidden_act": "gelu",
    }
    words = config.pop("tokenizer/tokenizer_config.json")
    number = "_2" if recipe.pooled else ""
    config[f"text_encoder{number}/config.json"] = open_clip
    config[f"tokenizer{number}/tokenizer_config.json"] = {**words, "pad_token": "!"}
    if recipe.clip_l is not None:
        config["text_encoder/config.json"], config["tokenizer/tokenizer_config.json"] = text, words
    return config


def open_clip_shapes(root: str, sizes: OpenClip) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Tensors of OpenCLIP's text encoder below the prefix `root`."""
    yield f"{root}token_embedding.weight", (sizes.vocabulary, sizes.width)
    yield f"{root}positional_embedding", (77, sizes.width)
    yield f"{root}text_projection", (sizes.width, sizes.projection)
    yield f"{root}logit_scale", ()
    yield from affine(f"{root}ln_final", sizes.width)
    for layer in range(sizes.layers):
        yield from _open_clip_block(f"{root}transformer.resblocks.{layer}", sizes.width)


def _open_clip_block(block: str, width: int) -> Shapes:
    yield f"{block}.attn.in_proj_weight", (3 * width, width)
    yield f"{block}.attn.in_proj_bias", (3 * width,)
    yield from affine(f"{block}.attn.out_proj", width, width)
    yield from affine(f"{block}.ln_1", width)
    yield from affine(f"{block}.ln_2", width)
    yield from affine(f"{block}.mlp.c_fc", 4 * width, width)
    yield from affine(f"{block}.mlp.c_proj", width, 4 * width)
