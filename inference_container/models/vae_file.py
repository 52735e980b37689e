"""Loads VAEs: a checkpoint's own, or a separate file that replaces it (semantics §8.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.uses import vae_names
from inference_container.models.files import ModelFile
from inference_container.models.model_config import PACKED_CONFIG
from inference_container.models.modules import State, Target, build_module, fill_module, read_state
from inference_container.models.tensor_file import TensorFile, incompatible, open_tensor_file, refusals_of

CONFIG_FILE = "vae/config.json"
UNUSED = ("loss", "model_ema.")
"""Leftovers of the VAE's training, which inference does not use."""


@dataclass(frozen=True)
class LoadedVae:
    """A VAE loaded from a separate file."""

    file: ModelFile
    vae: Any
    """diffusers AutoencoderKL."""

    @property
    def bytes(self) -> int:
        """Memory that its parameters take."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.vae.parameters())

    def move_to(self, device: torch.device) -> None:
        """Move it to another device."""
        self.vae.to(device)


def load_vae(file: ModelFile, *, like: Mapping[str, object], device: torch.device, dtype: torch.dtype) -> LoadedVae:
    """Load the VAE in `file`, with plain or prefixed tensor names, in LDM's or diffusers' layout.

    No tensor shows the scale of its latents, so it comes from `like`, the configuration of the VAE that it replaces; a
    file may pack its own configuration (docs/architecture/02-assets.md).

    Raises:
        JobFailed: asset_corrupt or asset_incompatible; the message names the error.
    """
    with open_tensor_file(file, holding=AssetType.VAE) as tensors:
        with refusals_of(file):
            names = vae_names(tensors.shapes)
        config = {**like, **_packed(file, tensors)}
        module = build_module(file, "VAE", lambda: AutoencoderKL.from_config(config))
        return LoadedVae(file, fill_vae(file, tensors.named(names), module, target=Target(device, dtype)))


def fill_vae(file: ModelFile, tensors: TensorFile, module: Any, *, target: Target) -> Any:
    """Fill `module`, an AutoencoderKL, with tensors that `vae_names` has named, in LDM's or diffusers' layout.

    Raises:
        JobFailed: as `fill_module`.
    """

    def convert(state: State) -> State:
        converted: State = convert_ldm_vae_checkpoint(state, dict(module.config))
        return converted

    state = read_state(file, tensors, "VAE", prefix="", target=target, skip=UNUSED)
    diffusers_layout = any(name.startswith("decoder.up_blocks.") for name in state)
    if diffusers_layout:
        # Attention is a convolution of one pixel in LDM, a matrix in diffusers; tools convert names and forget that.
        state = {name: _matrix(tensor) if ".attentions." in name else tensor for name, tensor in state.items()}
    return fill_module(
        file, "VAE", module, state=state, device=target.device, convert=None if diffusers_layout else convert
    )


def _matrix(tensor: Tensor) -> Tensor:
    return tensor[:, :, 0, 0] if tensor.ndim == 4 else tensor


def _packed(file: ModelFile, tensors: TensorFile) -> dict[str, object]:
    packed = tensors.metadata.get(PACKED_CONFIG)
    if packed is None:
        return {}
    try:
        document = json.loads(packed)
        config = document.get(CONFIG_FILE, {})
        config = json.loads(config) if isinstance(config, str) else config
    except (AttributeError, ValueError, RecursionError) as error:
        raise incompatible(file, f"its header's {PACKED_CONFIG} is not a JSON object with {CONFIG_FILE}") from error
    if not isinstance(config, dict):
        raise incompatible(file, f"the {CONFIG_FILE} packed in it is not a JSON object")
    return config
