"""A loaded checkpoint: diffusers modules and what the denoiser must know of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.model_files.families import Family
from inference_container.models.files import ModelFile
from inference_container.prompt.text_models import TextModel


@dataclass
class Checkpoint:
    file: ModelFile
    unet: Any
    """diffusers UNet2DConditionModel."""
    vae: Any
    """diffusers AutoencoderKL."""
    text_models: tuple[TextModel, ...]
    """One, or two in Stable Diffusion XL; their vectors are joined in this order."""
    tokenizer: Any
    """transformers CLIPTokenizer of all of them."""
    prediction_type: str
    """`epsilon` or `v_prediction`."""
    alphas_cumprod: Tensor
    """ᾱ, shape (1000,), float32, CPU."""
    device: torch.device
    dtype: torch.dtype
    """Of the UNet and the text encoders; the VAE may run wider."""
    family: Family = Family.SD1
    vae_file: ModelFile | None = None
    """Of a VAE in place of the checkpoint's own."""

    @property
    def text_encoder(self) -> Any:
        """The first text encoder, transformers CLIPTextModel or CLIPTextModelWithProjection."""
        return self.text_models[0].encoder

    @property
    def bytes(self) -> int:
        """Memory its parameters and buffers take."""
        return sum(
            tensor.numel() * tensor.element_size()
            for module in self._modules
            for tensor in (*module.parameters(), *module.buffers())
        )

    def move_to(self, device: torch.device) -> None:
        """Put all of it in another memory."""
        for module in self._modules:
            module.to(device)
        self.device = device

    @property
    def _modules(self) -> tuple[Any, ...]:
        return self.unet, self.vae, *(text.encoder for text in self.text_models)

    @property
    def inpainting(self) -> bool:
        """Its UNet takes a mask and a masked picture beside the latents (9 channels)."""
        return bool(self.unet.config.in_channels == 9)

    @property
    def edits(self) -> bool:
        """An InstructPix2Pix model: its UNet takes the init picture beside the latents (8 channels)."""
        return bool(self.unet.config.in_channels == 8)
