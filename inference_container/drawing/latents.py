"""Encodes pictures to latents and decodes latents to pictures with a checkpoint's VAE."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.tiny_vaes import METHOD
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.masks import latent_mask
from inference_container.pictures.pixels import Floats, from_model_range, to_model_range

SCALE = 8
"""Width of a latent cell in pixels."""


def latent_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the latents of a picture of `width`×`height` pixels."""
    return width // SCALE, height // SCALE


def encode_images(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> Tensor:
    """Scaled latents of RGB pictures of one size: (n, 4, h, w), float32, on the checkpoint's device.

    They are the mean of the posterior; WebUI samples it, with unseeded noise of about 1e-3 (semantics §2.5).

    Raises:
        JobFailed: bad_image, if a picture is smaller than one latent cell.
    """
    return torch.cat([encode_pixels(checkpoint, to_model_range(image)) for image in images])


def encoder_extra(checkpoint: Checkpoint) -> dict[str, InfoValue]:
    """The infotext entry of pictures that were encoded roughly."""
    return {} if checkpoint.tiny_encoder is None else {"VAE Encoder": METHOD}


def encode_pixels(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    """Like `encode_images`, for one picture of shape (3, height, width) in [−1, 1]; returns (1, 4, h, w)."""
    if checkpoint.tiny_encoder is None:
        return encode_fully(checkpoint, pixels)
    _refuse_small(pixels)
    batch = torch.from_numpy(pixels)[None].to(device=checkpoint.device, dtype=checkpoint.dtype)
    with torch.inference_mode():
        roughly: Tensor = checkpoint.tiny_encoder(batch).float()
    return roughly


def encode_fully(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    """Like `encode_pixels`, by the checkpoint's VAE even if a tiny one is chosen: for what the UNet is shown."""
    latents: Tensor = encode_unscaled(checkpoint, pixels) * checkpoint.vae.config.scaling_factor
    return latents


def encode_unscaled(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    """Like `encode_pixels`, but without the VAE's scaling factor; also raises nan_latents."""
    _refuse_small(pixels)
    vae = checkpoint.vae
    latents = _encode(checkpoint, pixels)
    if bool(latents.isnan().any()) and vae.dtype is not torch.float32:
        vae.to(torch.float32)
        latents = _encode(checkpoint, pixels)
    if bool(latents.isnan().any()):
        raise JobFailed(JobErrorCode.NAN_LATENTS, f"the VAE of {_vae_name(checkpoint)} encodes the picture to NaN")
    return latents


def _refuse_small(pixels: Floats) -> None:
    _, height, width = pixels.shape
    if min(width, height) < SCALE:
        message = f"received a picture of {width}x{height} pixels to encode; allowed: at least {SCALE}x{SCALE}"
        raise JobFailed(JobErrorCode.BAD_IMAGE, message)


def _encode(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    vae = checkpoint.vae
    batch = torch.from_numpy(pixels)[None].to(device=checkpoint.device, dtype=vae.dtype)
    latents: Tensor = vae.encode(batch).latent_dist.mode().float()
    return latents


def _vae_name(checkpoint: Checkpoint) -> str:
    return (checkpoint.vae_file or checkpoint.file).name


def decode_image(checkpoint: Checkpoint, latents: Tensor) -> Image.Image:
    """Decode one picture from scaled latents (4, h, w): RGB, 8w×8h pixels, truncated to 8 bits as in WebUI.

    If a half-precision VAE overflows, it is converted to float32 and run again, as in WebUI (semantics §8.1).

    Raises:
        JobFailed: nan_latents, if the picture contains NaN even then.
    """
    if checkpoint.tiny_decoder is not None:
        return decode_roughly(checkpoint.tiny_decoder, latents)
    vae = checkpoint.vae
    decoded = _decode(checkpoint, latents)
    if bool(decoded.isnan().any()) and bool(latents.isfinite().all()) and vae.dtype is not torch.float32:
        vae.to(torch.float32)
        decoded = _decode(checkpoint, latents)
    return from_model_range(decoded.numpy())


@torch.inference_mode()
def decode_roughly(decoder: Any, latents: Tensor) -> Image.Image:
    """Decode one picture from scaled latents (4, h, w) by a tiny VAE's decoder: RGB, 8w×8h pixels."""
    decoded: Tensor = decoder(latents[None].to(next(decoder.parameters()).dtype))[0]
    return from_model_range(decoded.float().cpu().numpy())


def _decode(checkpoint: Checkpoint, latents: Tensor) -> Tensor:
    vae = checkpoint.vae
    unscaled = (latents[None] / vae.config.scaling_factor).to(device=checkpoint.device, dtype=vae.dtype)
    decoded: Tensor = vae.decode(unscaled).sample[0]
    return decoded.float().cpu()


def repaint_cells(mask: Image.Image, *, like: Tensor, rounded: bool) -> Tensor:
    """`mask` (L, 255 = repaint) at the size of the latents `like`, shape (h, w), 1 = repaint, on their device."""
    height, width = like.shape[-2:]
    cells = torch.from_numpy(latent_mask(mask, width=width, height=height, rounded=rounded))
    return cells.to(device=like.device, dtype=torch.float32)


def resize_latents(latents: Tensor, *, width: int, height: int) -> Tensor:
    """Resize latents for a picture of `width`×`height` pixels: bilinear, without antialiasing ("latent upscale")."""
    columns, rows = latent_size(width, height)
    if latents.shape[-2:] == (rows, columns):
        return latents
    return torch.nn.functional.interpolate(latents, size=(rows, columns), mode="bilinear", align_corners=False)
