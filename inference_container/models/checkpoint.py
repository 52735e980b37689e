"""A loaded checkpoint: diffusers modules and the facts about them that the denoiser needs."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.model_files.family_names import Family
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
    """One text encoder, or the two of Stable Diffusion XL, whose vectors are concatenated in this order."""
    tokenizer: Any
    """transformers CLIPTokenizer, shared by all text encoders."""
    prediction_type: str
    """`epsilon` or `v_prediction`."""
    alphas_cumprod: Tensor
    """ᾱ, shape (1000,), float32, CPU."""
    device: torch.device
    dtype: torch.dtype
    """Precision of the UNet and the text encoders; the VAE may use a higher one."""
    family: Family = Family.SD1
    has_vae: bool = True
    """Whether `vae` has weights; without them, the request must choose a VAE."""
    vae_file: ModelFile | None = None
    """The file of the VAE that replaces the checkpoint's own, if any."""
    tiny_encoder: Any = None
    """Encoder of a tiny VAE that encodes pictures in place of `vae`; conditions of the UNet are `vae`'s even so."""
    tiny_decoder: Any = None
    """Decoder of a tiny VAE that decodes pictures in place of `vae`."""
    preview_decoder: Any = None
    """Decoder of a tiny VAE that makes the previews."""

    @property
    def text_encoder(self) -> Any:
        """The first text encoder, transformers CLIPTextModel or CLIPTextModelWithProjection."""
        return self.text_models[0].encoder

    @property
    def bytes(self) -> int:
        """Memory that its parameters and buffers take."""
        return sum(
            tensor.numel() * tensor.element_size()
            for module in self._modules
            for tensor in (*module.parameters(), *module.buffers())
        )

    def move_to(self, device: torch.device) -> None:
        """Move all modules to another device."""
        for module in self._modules:
            module.to(device)
        self.device = device

    @property
    def _modules(self) -> tuple[Any, ...]:
        return self.unet, *([self.vae] if self.has_vae else []), *(text.encoder for text in self.text_models)

    @property
    def inpainting(self) -> bool:
        """Whether its UNet takes a mask and a masked picture along with the latents (9 channels)."""
        return bool(self.unet.config.in_channels == 9)

    @property
    def edits(self) -> bool:
        """Whether it is an InstructPix2Pix model, whose UNet takes the init picture with the latents (8 channels)."""
        return bool(self.unet.config.in_channels == 8)
