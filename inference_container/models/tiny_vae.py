"""Loads tiny VAEs (TAESD), which encode and decode latents roughly and in a moment."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderTiny

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.tiny_vaes import LATENT_CHANNELS, TinyPart, tiny_vae_layers
from inference_container.models.files import ModelFile
from inference_container.models.modules import Target, build_module, fill_module, read_state
from inference_container.models.tensor_file import open_tensor_file, refusals_of


@dataclass(frozen=True)
class TinyVae:
    """The parts of a tiny VAE that a file has."""

    file: ModelFile
    parts: dict[TinyPart, Any]
    """The encoder maps pictures in [−1, 1], (n, 3, 8h, 8w), to scaled latents (n, 4, h, w), the decoder back."""

    @property
    def bytes(self) -> int:
        """Memory that its parameters take."""
        return sum(
            tensor.numel() * tensor.element_size() for part in self.parts.values() for tensor in part.parameters()
        )

    def move_to(self, device: torch.device) -> None:
        """Move it to another device."""
        for part in self.parts.values():
            part.to(device)


def load_tiny_vae(file: ModelFile, *, device: torch.device, dtype: torch.dtype) -> TinyVae:
    """Load encoder, decoder or both, in WebUI's layout (a file each), the original's, ComfyUI's or diffusers'.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible; the message names the error.
    """
    with open_tensor_file(file, holding=AssetType.VAE) as tensors:
        with refusals_of(file):
            layers = tiny_vae_layers(tensors.shapes)
        whole = build_module(file, "tiny VAE", lambda: AutoencoderTiny(latent_channels=LATENT_CHANNELS))
        parts = {}
        for part, names in layers.items():
            named = tensors.named({f"layers.{layer}": stored for layer, stored in names.items()})
            state = read_state(file, named, part.value, prefix="", target=Target(device, dtype))
            parts[part] = fill_module(file, part.value, getattr(whole, part.value), state=state, device=device)
        return TinyVae(file, parts)
