"""A loaded checkpoint: diffusers modules and what the denoiser must know of them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference_container.models.files import ModelFile


@dataclass
class Checkpoint:
    file: ModelFile
    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    prediction_type: str
    """`epsilon` or `v_prediction`."""
    alphas_cumprod: Tensor
    """ᾱ, shape (1000,), float32, CPU."""
    device: torch.device
    dtype: torch.dtype
    """Of unet and text_encoder; the VAE may run wider."""
