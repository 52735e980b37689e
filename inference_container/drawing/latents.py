"""Pictures to latents and back through a checkpoint's VAE."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.masks import latent_mask
from inference_container.pictures.pixels import Floats, from_model_range, to_model_range

SCALE = 8
"""Pixels a latent cell is wide."""


def latent_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the latents of a picture of `width`×`height` pixels."""
    return width // SCALE, height // SCALE


def encode_images(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> Tensor:
    """Scaled latents of RGB pictures of one size, shape (n, 4, h, w), float32, on the checkpoint's device.

    The mean of the posterior: WebUI samples it, with noise of about 1e-3 from an unseeded generator (semantics §2.5).

    Raises:
        JobFailed: bad_image, a picture is smaller than one latent cell.
    """
    return torch.cat([encode_pixels(checkpoint, to_model_range(image)) for image in images])


def encode_pixels(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    """Like `encode_images`, of one picture of shape (3, height, width) in [−1, 1]: shape (1, 4, h, w)."""
    latents: Tensor = encode_unscaled(checkpoint, pixels) * checkpoint.vae.config.scaling_factor
    return latents


def encode_unscaled(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    """Like `encode_pixels`, as the VAE gives it: without its scaling factor; raises nan_latents, too."""
    _, height, width = pixels.shape
    if min(width, height) < SCALE:
        message = f"received a picture of {width}x{height} pixels to encode; allowed: at least {SCALE}x{SCALE}"
        raise JobFailed(JobErrorCode.BAD_IMAGE, message)
    vae = checkpoint.vae
    latents = _encode(checkpoint, pixels)
    if bool(latents.isnan().any()) and vae.dtype is not torch.float32:
        vae.to(torch.float32)
        latents = _encode(checkpoint, pixels)
    if bool(latents.isnan().any()):
        raise JobFailed(JobErrorCode.NAN_LATENTS, f"the VAE of {_vae_name(checkpoint)} encodes the picture to NaN")
    return latents


def _encode(checkpoint: Checkpoint, pixels: Floats) -> Tensor:
    vae = checkpoint.vae
    batch = torch.from_numpy(pixels)[None].to(device=checkpoint.device, dtype=vae.dtype)
    latents: Tensor = vae.encode(batch).latent_dist.mode().float()
    return latents


def _vae_name(checkpoint: Checkpoint) -> str:
    return (checkpoint.vae_file or checkpoint.file).name


def decode_image(checkpoint: Checkpoint, latents: Tensor) -> Image.Image:
    """One picture from its scaled latents of shape (4, h, w): RGB of 8w×8h, truncated to 8 bits as WebUI does.

    A half-precision VAE that overflows is made float32 and asked again, as WebUI does (semantics §8.1).

    Raises:
        JobFailed: nan_latents, the picture is not a number even then.
    """
    vae = checkpoint.vae
    decoded = _decode(checkpoint, latents)
    if bool(decoded.isnan().any()) and bool(latents.isfinite().all()) and vae.dtype is not torch.float32:
        vae.to(torch.float32)
        decoded = _decode(checkpoint, latents)
    return from_model_range(decoded.numpy())


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
    """Latents at the size for a picture of `width`×`height` pixels: bilinear, no antialiasing ("latent upscale")."""
    columns, rows = latent_size(width, height)
    if latents.shape[-2:] == (rows, columns):
        return latents
    return torch.nn.functional.interpolate(latents, size=(rows, columns), mode="bilinear", align_corners=False)
