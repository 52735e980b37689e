"""A checkpoint as one request wants it: tiling and noise schedule, undone when the request is done."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch

from inference_container.contract.params import ImageParams
from inference_container.diffusion.noise_schedule import rescale_to_zero_terminal_snr
from inference_container.models.checkpoint import Checkpoint


def asks_for_tiling(params: ImageParams) -> bool:
    """The field, or the option where the request leaves it open."""
    return bool(params.option("tiling") if params.tiling is None else params.tiling)


@contextmanager
def fitted(checkpoint: Checkpoint, params: ImageParams) -> Iterator[Checkpoint]:
    """The checkpoint to draw with inside the block; `checkpoint` itself is as before after it."""
    if params.option("sd_noise_schedule") == "Zero Terminal SNR":
        checkpoint = replace(checkpoint, alphas_cumprod=rescale_to_zero_terminal_snr(checkpoint.alphas_cumprod))
    with _circular(checkpoint) if asks_for_tiling(params) else nullcontext():
        yield checkpoint


@contextmanager
def _circular(checkpoint: Checkpoint) -> Iterator[None]:
    """Every convolution of UNet and VAE sees the opposite edge where its picture ends (WebUI's tiling)."""
    layers = [
        layer
        for model in (checkpoint.unet, checkpoint.vae)
        for layer in model.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    before = [layer.padding_mode for layer in layers]
    try:
        for layer in layers:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in zip(layers, before, strict=True):
            layer.padding_mode = mode
