"""Overlays of soft inpainting: how much each cell changed decides how much of the original covers it (§2.13)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter
from torch import Tensor

from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.scripts import SoftInpainting
from inference_container.diffusion.sampling import ImageStart
from inference_container.diffusion.soft_inpainting import Cells, change_masks
from inference_container.drawing.init_picture import InitPicture
from inference_container.pictures.overlays import make_overlay
from inference_container.pictures.resizing import resize

BLUR = 4
"""Blur radius in pixels."""


def soften(
    pictures: Sequence[InitPicture],
    finished: Sequence[Tensor],
    *,
    start: ImageStart,
    settings: SoftInpainting,
    params: Img2ImgParams,
) -> list[InitPicture]:
    """For each picture in the finished latents, in order, its init picture with its own overlay."""
    if start.repaint is None:
        raise TypeError("received soft inpainting without a mask")
    masks = [
        mask
        for latents in finished
        for mask in change_masks(settings, repaint=start.repaint, before=start.latent, after=latents)
    ]
    return [_softened(pictures[number % len(pictures)], mask, params) for number, mask in enumerate(masks)]


def _softened(picture: InitPicture, change: Cells, params: Img2ImgParams) -> InitPicture:
    if picture.original is None:
        return picture
    small = Image.fromarray((np.float32(255) * change).astype(np.uint8))
    drawn = params if picture.region is not None else picture.image
    mask = resize(small, mode=2, width=drawn.width, height=drawn.height).filter(ImageFilter.GaussianBlur(BLUR))
    if picture.region is None:
        mask = mask.crop((0, 0, *picture.original.size))
    else:
        whole = Image.new("L", picture.original.size)
        fitted = resize(mask, mode=1, width=picture.region.width, height=picture.region.height)
        whole.paste(fitted, (picture.region.left, picture.region.top))
        mask = whole
    return replace(picture, overlay=make_overlay(picture.original, mask), overlay_mask=mask)
