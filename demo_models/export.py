"""Writes the trained parts as one half-precision file in Stable Diffusion 1.x's layout, with the configuration."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextModel

from demo_models.autoencoder import load_autoencoder
from demo_models.captions import WORDS
from demo_models.denoiser import load_denoiser
from demo_models.text_encoder import load_text_encoder
from demo_models.tokenizer import build_files
from generate_on_cloud.model_files.prediction_types import VELOCITY_SIGN

CONFIG_KEY = "generate_on_cloud.config"
"""Metadata key of the configuration in the header (docs/architecture/02-assets.md)."""
MANIFEST = "manifest.json"

_UNET_NAMES = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
    ("conv_in", "input_blocks.0.0"),
    ("mid_block.resnets.0", "middle_block.0"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
)
_RESIDUAL_NAMES = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_VAE_NAMES = (
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
    (r"mid_block\.attentions\.0\.to_([qkv])\.", r"mid.attn_1.\1."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"\.resnets\.", ".block."),
    (r"downsamplers\.0\.", "downsample."),
    (r"upsamplers\.0\.", "upsample."),
    (r"encoder\.down_blocks\.", "encoder.down."),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
)


def name_unet_parts(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Prefixes in diffusers' UNet and in LDM's, for a UNet with attention on every level."""
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    pairs = list(_UNET_NAMES)
    block = 1
    for level in range(levels):
        for layer in range(layers):
            pairs.append((f"down_blocks.{level}.resnets.{layer}", f"input_blocks.{block}.0"))
            pairs.append((f"down_blocks.{level}.attentions.{layer}", f"input_blocks.{block}.1"))
            block += 1
        if level < levels - 1:
            pairs.append((f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{block}.0.op"))
            block += 1
    for level in range(levels):
        for layer in range(layers + 1):
            block = level * (layers + 1) + layer
            pairs.append((f"up_blocks.{level}.resnets.{layer}", f"output_blocks.{block}.0"))
            pairs.append((f"up_blocks.{level}.attentions.{layer}", f"output_blocks.{block}.1"))
        pairs.append((f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{block}.2.conv"))
    return pairs


def to_ldm_unet(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The UNet's tensors under LDM's names.

    Raises:
        KeyError: a tensor has no name in LDM's layout.
    """
    pairs = name_unet_parts(config)
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        ours, theirs = next((pair for pair in pairs if name.startswith(f"{pair[0]}.")), (None, None))
        if ours is None or theirs is None:
            raise KeyError(name)
        rest = name.removeprefix(f"{ours}.")
        if ".resnets." in name:
            part, _, last = rest.partition(".")
            rest = f"{_RESIDUAL_NAMES[part]}.{last}"
        renamed[f"model.diffusion_model.{theirs}.{rest}"] = tensor
    return renamed


def to_ldm_vae(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The autoencoder's tensors under LDM's names, where the attention's matrices are 1×1 kernels."""
    last = len(config["block_out_channels"]) - 1
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        new = re.sub(r"decoder\.up_blocks\.(\d)", lambda found: f"decoder.up.{last - int(found[1])}", name)
        for ours, theirs in _VAE_NAMES:
            new = re.sub(ours, theirs, new)
        kernel = ".mid.attn_1." in new and tensor.ndim == 2
        renamed[f"first_stage_model.{new}"] = tensor[:, :, None, None] if kernel else tensor
    return renamed


def to_ldm_text_encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text encoder's tensors under their names in Stable Diffusion 1.x files."""
    return {
        f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in state.items()
    }


def build_header(
    unet: UNet2DConditionModel, vae: AutoencoderKL, text_encoder: CLIPTextModel, *, velocity: bool = False
) -> dict[str, str]:
    """The header's metadata: every file of the configuration folder in one JSON object.

    Args:
        velocity: leave out the prediction type, which `write_checkpoint` then records as other files do.
    """
    documents: dict[str, object] = {
        "unet/config.json": public_config(unet.config),
        "vae/config.json": public_config(vae.config),
        "text_encoder/config.json": text_encoder.config.to_diff_dict() | {"architectures": ["CLIPTextModel"]},
        "scheduler/scheduler_config.json": {
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            **({} if velocity else {"prediction_type": "epsilon"}),
        },
    }
    documents |= {f"tokenizer/{name}": content for name, content in build_files(WORDS).items()}
    return {CONFIG_KEY: json.dumps(documents, ensure_ascii=False)}


def public_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of a config.json, without diffusers' internal entries."""
    return {key: value for key, value in config.items() if key == "_class_name" or not key.startswith("_")}


def export_checkpoint(trained: Path, file: Path) -> None:
    """Write the checkpoint from the parts in the folder `trained`, and its hash into the manifest next to it."""
    text_encoder, _ = load_text_encoder(trained / "text")
    write_checkpoint(file, load_denoiser(trained / "unet"), load_autoencoder(trained / "vae"), text_encoder)
    write_manifest(file.parent)


def write_checkpoint(
    file: Path,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    *,
    velocity: bool = False,
    unet_type: torch.dtype = torch.float16,
) -> None:
    """Write one file in LDM's layout, in half precision except for the UNet's kernels and matrices.

    Args:
        velocity: the UNet predicts v, which an empty tensor named `v_pred` records (semantics §8.1).
        unet_type: precision of the UNet's kernels and matrices; `torch.float8_e4m3fn` saves a third of the file.
    """
    denoiser = to_ldm_unet(unet.state_dict(), unet.config)
    rest = to_ldm_vae(vae.state_dict(), vae.config) | to_ldm_text_encoder(text_encoder.state_dict())
    stored = narrow_kernels(denoiser, unet_type) | narrow_kernels(rest, torch.float16)
    if velocity:
        stored[VELOCITY_SIGN] = torch.empty(0)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, file, metadata=build_header(unet, vae, text_encoder, velocity=velocity))


def narrow_kernels(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Convert kernels and matrices to `dtype`, biases and norms to half precision."""
    return {
        name: tensor.to(dtype if tensor.ndim >= 2 else torch.float16).contiguous() for name, tensor in state.items()
    }


def export_judge(trained: Path, file: Path) -> None:
    """Write the trained judge in half precision, for tests and `eval`."""
    state = torch.load(trained / "judge" / "judge.pt", weights_only=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.to(torch.float16).contiguous() for name, tensor in state.items()}, file)
    write_manifest(file.parent)


def write_manifest(folder: Path) -> None:
    """Size and SHA-256 of every weights file in the folder, as `manifest.json`."""
    entries = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "size": file.stat().st_size}
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
