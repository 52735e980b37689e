"""The additional input channels of inpainting and InstructPix2Pix UNets.

Inpainting models (9 channels) get the mask and the masked picture, InstructPix2Pix models (8) the picture.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inference_container.drawing.init_picture import InitPicture
from inference_container.drawing.latents import SCALE, decode_image, encode_fully, encode_pixels, encode_unscaled
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.pixels import to_model_range


def condition_on_pictures(
    checkpoint: Checkpoint, pictures: Sequence[InitPicture], *, like: Tensor, mask_weight: float, rounded: bool
) -> Tensor:
    """Mask and masked picture at the size of the latents `like`, shape (n, 5, h, w) (semantics §2.11).

    The masked area is mid grey, mixed with the picture by `mask_weight` (1 = all grey). Without a mask, everything is
    masked.
    """
    return torch.cat([_condition(checkpoint, picture, like, mask_weight, rounded) for picture in pictures])


def condition_on_edited(checkpoint: Checkpoint, pictures: Sequence[InitPicture], *, like: Tensor) -> Tensor:
    """The pictures for InstructPix2Pix: unscaled, at the size of the latents `like`, shape (n, 4, h, w)."""
    encoded = [encode_unscaled(checkpoint, to_model_range(picture.image)) for picture in pictures]
    return torch.cat([_fitted(one, like) for one in encoded])


def condition_on_nothing(checkpoint: Checkpoint, *, width: int, height: int) -> Tensor:
    """For txt2img: everything masked, with a picture of 0.5 grey, shape (1, 5, h, w)."""
    grey = encode_pixels(checkpoint, np.zeros((3, height, width), np.float32))
    return torch.cat([torch.ones_like(grey[:, :1]), grey], dim=1)


def condition_on_latents(checkpoint: Checkpoint, latents: Tensor, *, mask_weight: float) -> Tensor:
    """For the hires pass: all masked, mixed with the decoded `latents` (n, 4, h, w) unless `mask_weight` is 1."""
    if mask_weight == 1:
        height, width = (SCALE * cells for cells in latents.shape[-2:])
        return condition_on_nothing(checkpoint, width=width, height=height)
    pictures = [InitPicture(image=decode_image(checkpoint, one)) for one in latents]
    return condition_on_pictures(checkpoint, pictures, like=latents, mask_weight=mask_weight, rounded=True)


def _condition(checkpoint: Checkpoint, picture: InitPicture, like: Tensor, mask_weight: float, rounded: bool) -> Tensor:
    source = to_model_range(picture.image)
    if picture.mask is None:
        mask = np.ones(source.shape[1:], np.float32)
    else:
        mask = np.asarray(picture.mask).astype(np.float32) / np.float32(255)
        mask = np.around(mask) if rounded else mask
    weight = np.float32(mask_weight)
    masked = source * (1 - weight) + source * (1 - mask) * weight
    latents = encode_fully(checkpoint, masked)
    size = like.shape[-2:]
    cells = torch.nn.functional.interpolate(torch.from_numpy(mask)[None, None], size=size).to(latents.device)
    return torch.cat([cells, _fitted(latents, like)], dim=1)


def _fitted(latents: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    if latents.shape[-2:] == size:
        return latents
    return torch.nn.functional.interpolate(latents, size=size, mode="bilinear", align_corners=False)
