"""Writes a random checkpoint in the file layout of Stable Diffusion 1.x: tiny, for tests that need a model."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

CONFIG_KEY = "generate_on_cloud.config"

UNET_WIDTHS = (16, 32, 32, 32)
UNET_LAYERS = 2
VAE_WIDTHS = (8, 16, 16, 16)
VAE_LAYERS = 2
TEXT_WIDTH = 32
TEXT_LAYERS = 2
LATENT_CHANNELS = 4
MERGES = ("t h", "th e</w>", "c i", "r e", "re d</w>", "a t</w>", "o n</w>")

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Sizes:
    """What two models of the family differ in; depth and attention follow Stable Diffusion 1.x."""

    unet_widths: tuple[int, ...]
    vae_widths: tuple[int, ...]
    text_width: int
    text_layers: int
    vocabulary: int
    in_channels: int = LATENT_CHANNELS
    depths: tuple[int, ...] = (1, 1, 1, 0)
    """Transformer blocks in each attention, by level."""
    linear: bool = False
    """Attention is led in and out by linear layers, not by convolutions."""
    context: int = 0
    """Width of the vectors the UNet attends to; 0: the text encoder's."""
    vector: int = 0
    """Width of the vector that conditions the UNet beside the words; 0: none."""


STABLE_DIFFUSION_1_5 = Sizes(
    unet_widths=(320, 640, 1280, 1280),
    vae_widths=(128, 256, 512, 512),
    text_width=768,
    text_layers=12,
    vocabulary=49408,
)


def write_tiny_checkpoint(path: Path, *, seed: int = 0) -> Path:
    """Write the file to `path` (about 4 MB, float32 safetensors, config packed in the header) and return `path`."""
    save_file(tiny_state(seed=seed), path, metadata={CONFIG_KEY: json.dumps(tiny_config())})
    return path


def tiny_state(*, seed: int = 0, in_channels: int = LATENT_CHANNELS) -> dict[str, Tensor]:
    """All tensors by their LDM names: random, numerically sane, the same for the same seed."""
    sizes = Sizes(UNET_WIDTHS, VAE_WIDTHS, TEXT_WIDTH, TEXT_LAYERS, len(tiny_vocabulary()), in_channels)
    return random_state(sizes, seed=seed)


def random_state(sizes: Sizes, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """As `tiny_state`, of any sizes."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: random_tensor(name, shape, generator).to(dtype)
        for name, shape in (*unet_shapes(sizes), *vae_shapes(sizes), *text_shapes(sizes))
    }
    calm_vae(state)
    # WebUI's emphasis divides by the mean of the text encoder's output, so it must not be zero.
    state["cond_stage_model.transformer.text_model.final_layer_norm.bias"] += 0.5
    return state


def calm_vae(state: dict[str, Tensor]) -> None:
    """A posterior without noise, and latents of about the scale that the UNet's noise has."""
    quantise = state["first_stage_model.quant_conv.weight"]
    quantise[:LATENT_CHANNELS] *= 5
    quantise[LATENT_CHANNELS:] = 0
    state["first_stage_model.quant_conv.bias"][LATENT_CHANNELS:] = -30


def tiny_config(*, in_channels: int = LATENT_CHANNELS) -> dict[str, Any]:
    """What the tensors do not show, as files of diffusers' folder layout."""
    levels = len(UNET_WIDTHS)
    return {
        "unet/config.json": {
            "_class_name": "UNet2DConditionModel",
            "in_channels": in_channels,
            "out_channels": LATENT_CHANNELS,
            "sample_size": 8,
            "down_block_types": ["CrossAttnDownBlock2D"] * (levels - 1) + ["DownBlock2D"],
            "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (levels - 1),
            "block_out_channels": list(UNET_WIDTHS),
            "layers_per_block": UNET_LAYERS,
            "norm_num_groups": 8,
            "cross_attention_dim": TEXT_WIDTH,
            "attention_head_dim": 4,
        },
        "vae/config.json": {
            "_class_name": "AutoencoderKL",
            "in_channels": 3,
            "out_channels": 3,
            "down_block_types": ["DownEncoderBlock2D"] * len(VAE_WIDTHS),
            "up_block_types": ["UpDecoderBlock2D"] * len(VAE_WIDTHS),
            "block_out_channels": list(VAE_WIDTHS),
            "layers_per_block": VAE_LAYERS,
            "latent_channels": LATENT_CHANNELS,
            "norm_num_groups": 4,
            "sample_size": 64,
            "scaling_factor": 0.18215,
        },
        "text_encoder/config.json": {
            "architectures": ["CLIPTextModel"],
            "model_type": "clip_text_model",
            "vocab_size": len(tiny_vocabulary()),
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": 4 * TEXT_WIDTH,
            "projection_dim": TEXT_WIDTH,
            "num_hidden_layers": TEXT_LAYERS,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-05,
            "bos_token_id": tiny_vocabulary()["<|startoftext|>"],
            "eos_token_id": tiny_vocabulary()["<|endoftext|>"],
        },
        "tokenizer/vocab.json": tiny_vocabulary(),
        "tokenizer/merges.txt": "\n".join(("#version: 0.2", *MERGES, "")),
        "tokenizer/tokenizer_config.json": {
            "tokenizer_class": "CLIPTokenizer",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "model_max_length": 77,
        },
    }


def tiny_vocabulary() -> Mapping[str, int]:
    """CLIP's byte-level alphabet, a few merges and the two special tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]
    tokens = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in MERGES]
    return {token: number for number, token in enumerate((*tokens, "<|startoftext|>", "<|endoftext|>"))}


def random_tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name.endswith("bias"):
        return torch.zeros(shape)
    if not shape:
        return torch.ones(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    if "embedding" in name:
        return torch.randn(shape, generator=generator)
    fan_in = shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1)
    return torch.randn(shape, generator=generator).div(fan_in**0.5)


def affine(name: str, *shape: int) -> Shapes:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def unet_shapes(sizes: Sizes) -> Shapes:
    """Tensors of the UNet by their LDM names."""
    widths, depths = sizes.unet_widths, sizes.depths
    base, embedding, last = widths[0], 4 * widths[0], len(widths) - 1
    root = "model.diffusion_model"
    yield from affine(f"{root}.time_embed.0", embedding, base)
    yield from affine(f"{root}.time_embed.2", embedding, embedding)
    if sizes.vector:
        yield from affine(f"{root}.label_emb.0.0", embedding, sizes.vector)
        yield from affine(f"{root}.label_emb.0.2", embedding, embedding)
    yield from affine(f"{root}.input_blocks.0.0", base, sizes.in_channels, 3, 3)
    skips, width, block = [base], base, 1
    for level, out in enumerate(widths):
        for _ in range(UNET_LAYERS):
            yield from _unet_residual(f"{root}.input_blocks.{block}.0", width, out, embedding)
            if depths[level]:
                yield from _unet_attention(f"{root}.input_blocks.{block}.1", out, sizes, depth=depths[level])
            width, block = out, block + 1
            skips.append(width)
        if level != last:
            yield from affine(f"{root}.input_blocks.{block}.0.op", width, width, 3, 3)
            block += 1
            skips.append(width)
    yield from _unet_residual(f"{root}.middle_block.0", width, width, embedding)
    yield from _unet_attention(f"{root}.middle_block.1", width, sizes, depth=depths[-1] or depths[-2])
    yield from _unet_residual(f"{root}.middle_block.2", width, width, embedding)
    block = 0
    for level, out in reversed(list(enumerate(widths))):
        for layer in range(UNET_LAYERS + 1):
            yield from _unet_residual(f"{root}.output_blocks.{block}.0", width + skips.pop(), out, embedding)
            if depths[level]:
                yield from _unet_attention(f"{root}.output_blocks.{block}.1", out, sizes, depth=depths[level])
            if level and layer == UNET_LAYERS:
                yield from affine(f"{root}.output_blocks.{block}.{2 if depths[level] else 1}.conv", out, out, 3, 3)
            width, block = out, block + 1
    yield from affine(f"{root}.out.0", base)
    yield from affine(f"{root}.out.2", LATENT_CHANNELS, base, 3, 3)


def _unet_residual(name: str, width: int, out: int, embedding: int) -> Shapes:
    yield from affine(f"{name}.in_layers.0", width)
    yield from affine(f"{name}.in_layers.2", out, width, 3, 3)
    yield from affine(f"{name}.emb_layers.1", out, embedding)
    yield from affine(f"{name}.out_layers.0", out)
    yield from affine(f"{name}.out_layers.3", out, out, 3, 3)
    if width != out:
        yield from affine(f"{name}.skip_connection", out, width, 1, 1)


def _unet_attention(name: str, width: int, sizes: Sizes, *, depth: int) -> Shapes:
    projection = (width, width) if sizes.linear else (width, width, 1, 1)
    yield from affine(f"{name}.norm", width)
    yield from affine(f"{name}.proj_in", *projection)
    for number in range(depth):
        block = f"{name}.transformer_blocks.{number}"
        for attention, context in (("attn1", width), ("attn2", sizes.context or sizes.text_width)):
            yield f"{block}.{attention}.to_q.weight", (width, width)
            yield f"{block}.{attention}.to_k.weight", (width, context)
            yield f"{block}.{attention}.to_v.weight", (width, context)
            yield from affine(f"{block}.{attention}.to_out.0", width, width)
        yield from affine(f"{block}.ff.net.0.proj", 8 * width, width)
        yield from affine(f"{block}.ff.net.2", width, 4 * width)
        for norm in ("norm1", "norm2", "norm3"):
            yield from affine(f"{block}.{norm}", width)
    yield from affine(f"{name}.proj_out", *projection)


def vae_shapes(sizes: Sizes) -> Shapes:
    """Tensors of the VAE by their LDM names."""
    root, widths = "first_stage_model", sizes.vae_widths
    top, last = widths[-1], len(widths) - 1
    yield from affine(f"{root}.encoder.conv_in", widths[0], 3, 3, 3)
    width = widths[0]
    for level, out in enumerate(widths):
        for layer in range(VAE_LAYERS):
            yield from _vae_residual(f"{root}.encoder.down.{level}.block.{layer}", width, out)
            width = out
        if level != last:
            yield from affine(f"{root}.encoder.down.{level}.downsample.conv", width, width, 3, 3)
    yield from _vae_middle(f"{root}.encoder.mid", top)
    yield from affine(f"{root}.encoder.norm_out", top)
    yield from affine(f"{root}.encoder.conv_out", 2 * LATENT_CHANNELS, top, 3, 3)
    yield from affine(f"{root}.quant_conv", 2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1, 1)
    yield from affine(f"{root}.post_quant_conv", LATENT_CHANNELS, LATENT_CHANNELS, 1, 1)
    yield from affine(f"{root}.decoder.conv_in", top, LATENT_CHANNELS, 3, 3)
    yield from _vae_middle(f"{root}.decoder.mid", top)
    for level, out in reversed(list(enumerate(widths))):
        for layer in range(VAE_LAYERS + 1):
            yield from _vae_residual(f"{root}.decoder.up.{level}.block.{layer}", width, out)
            width = out
        if level:
            yield from affine(f"{root}.decoder.up.{level}.upsample.conv", out, out, 3, 3)
    yield from affine(f"{root}.decoder.norm_out", width)
    yield from affine(f"{root}.decoder.conv_out", 3, width, 3, 3)


def _vae_residual(name: str, width: int, out: int) -> Shapes:
    yield from affine(f"{name}.norm1", width)
    yield from affine(f"{name}.conv1", out, width, 3, 3)
    yield from affine(f"{name}.norm2", out)
    yield from affine(f"{name}.conv2", out, out, 3, 3)
    if width != out:
        yield from affine(f"{name}.nin_shortcut", out, width, 1, 1)


def _vae_middle(name: str, width: int) -> Shapes:
    yield from _vae_residual(f"{name}.block_1", width, width)
    yield from affine(f"{name}.attn_1.norm", width)
    for projection in ("q", "k", "v", "proj_out"):
        yield from affine(f"{name}.attn_1.{projection}", width, width, 1, 1)
    yield from _vae_residual(f"{name}.block_2", width, width)


def text_shapes(sizes: Sizes) -> Shapes:
    """Tensors of the text encoder by their names in Stable Diffusion 1.x."""
    root, width = "cond_stage_model.transformer.text_model", sizes.text_width
    yield f"{root}.embeddings.token_embedding.weight", (sizes.vocabulary, width)
    yield f"{root}.embeddings.position_embedding.weight", (77, width)
    for layer in range(sizes.text_layers):
        block = f"{root}.encoder.layers.{layer}"
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from affine(f"{block}.self_attn.{projection}", width, width)
        yield from affine(f"{block}.layer_norm1", width)
        yield from affine(f"{block}.mlp.fc1", 4 * width, width)
        yield from affine(f"{block}.mlp.fc2", width, 4 * width)
        yield from affine(f"{block}.layer_norm2", width)
    yield from affine(f"{root}.final_layer_norm", width)
