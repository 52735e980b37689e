"""Prepares the init picture and mask of a request for the model, and the overlay for its result.

It handles only pictures, no tensors. The rules and their order are WebUI's (semantics §2.1-2.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.limits import MIN_SIDE
from generate_on_cloud.contract.params import Img2ImgParams
from inference_container.pictures.crop_region import Box, crop_region
from inference_container.pictures.decoding import decode_picture
from inference_container.pictures.filling import fill_masked
from inference_container.pictures.flattening import flatten
from inference_container.pictures.masks import blur_mask, double_mask, fit_mask, invert_mask, mask_of
from inference_container.pictures.overlays import make_overlay
from inference_container.pictures.padding import cover_cells
from inference_container.pictures.resizing import ResizeMode, resize
from inference_container.pictures.upscaling import Upscaler

ORIGINAL_CONTENT = 1
"""The value of `inpainting_fill` that keeps the content under the mask."""
LATENT_UPSCALE = 3
"""The value of `resize_mode` that resizes latents, not pixels."""


@dataclass(frozen=True, kw_only=True)
class InitPicture:
    """A prepared init picture; without a mask, only `image` is set."""

    image: Image.Image
    """RGB, the VAE's input: the request's width×height, or the picture's own size for latent upscale. Under a mask over
    the whole picture it is filled up to whole cells of latents, at the right and below."""
    mask: Image.Image | None = None
    """L, same size as `image`, 255 = repaint; None if nothing is masked."""
    overlay: Image.Image | None = None
    """RGBA, the kept part of the original, for `paste_back`."""
    region: Box | None = None
    """Where in the overlay the result is placed; None: everywhere."""
    overlay_mask: Image.Image | None = None
    """L, at the overlay's size: 255 − its alpha; returned by the option `return_mask`."""
    original: Image.Image | None = None
    """RGB, the picture that the overlay was made from."""
    latent_mask: Image.Image | None = None
    """L, same size as `image`: what to fill and repaint, if that differs from `mask`."""

    @property
    def repainted(self) -> Image.Image | None:
        """What to fill and repaint: `latent_mask`, else `mask`."""
        return self.latent_mask or self.mask


def prepare_init_pictures(
    params: Img2ImgParams, *, upscaler: Upscaler | None = None, latent_mask: Image.Image | None = None
) -> tuple[InitPicture, ...]:
    """Prepare each of the request's `init_images`, all with the request's one mask.

    `upscaler` is used for pictures that become larger. `latent_mask`, of the request's width and height, is for masks
    over the whole picture (`InitPicture.latent_mask`).

    Raises:
        JobFailed: bad_image, if a picture cannot be decoded; invalid_params, for several pictures of different sizes
            with one mask, or an invalid colour.
    """
    images = _decode_images(params)
    if params.mask is None:
        return tuple(InitPicture(image=_resized(image, params, upscaler)) for image in images)
    mask = user_mask(params, params.mask, size=images[0].size)
    if any(image.size != mask.size for image in images):
        sizes = ", ".join(f"{image.width}x{image.height}" for image in images)
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            f"init_images: received sizes {sizes}; with a mask, all must have the same size",
        )
    if params.inpaint_full_res:
        return _only_masked(images, mask, params, upscaler)
    return _whole_picture(images, mask, params, upscaler, latent_mask)


def _decode_images(params: Img2ImgParams) -> list[Image.Image]:
    background = params.options.img2img_background_color
    decoded = [decode_picture(text, field=f"init_images[{n}]") for n, text in enumerate(params.init_images)]
    try:
        return [flatten(image, background=background) for image in decoded]
    except ValueError as error:
        message = f"img2img_background_color: received {background!r}; allowed: a colour such as #ffffff"
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message) from error


def user_mask(params: Img2ImgParams, text: str, *, size: tuple[int, int]) -> Image.Image:
    """The request's mask for an init picture of this size, inverted and blurred as it asks."""
    mask = mask_of(decode_picture(text, field="mask"), binarise_alpha=params.mask_round)
    if params.inpainting_mask_invert:
        mask = invert_mask(mask)
    x, y = params.mask_blur_axes()
    return blur_mask(fit_mask(mask, size), x=x, y=y)


def _only_masked(
    images: Sequence[Image.Image], mask: Image.Image, params: Img2ImgParams, upscaler: Upscaler | None
) -> tuple[InitPicture, ...]:
    width, height = params.width, params.height
    region = crop_region(mask, padding=params.inpaint_full_res_padding, width=width, height=height)
    if region is None:
        return tuple(InitPicture(image=_resized(image, params, upscaler)) for image in images)
    cropped_mask = resize(mask.crop(region), mode=2, width=width, height=height)
    return tuple(
        InitPicture(
            image=_filled(_at_size(image.crop(region), params, upscaler, mode=2), cropped_mask, params),
            mask=cropped_mask,
            overlay=make_overlay(image, mask),
            region=region,
            overlay_mask=mask,
            original=image,
        )
        for image in images
    )


def _whole_picture(
    images: Sequence[Image.Image],
    mask: Image.Image,
    params: Img2ImgParams,
    upscaler: Upscaler | None,
    latent_mask: Image.Image | None,
) -> tuple[InitPicture, ...]:
    # For latent upscale, WebUI leaves picture and mask at different sizes; stretching both is the intention (§2.4).
    mode = 0 if params.resize_mode == LATENT_UPSCALE else params.resize_mode
    mask = resize(mask, mode=mode, width=params.width, height=params.height)
    resized = [_at_size(image, params, upscaler, mode=mode) for image in images]
    doubled = double_mask(mask)
    # The overlay has the request's size; what is drawn below it must cover it, and latents are whole cells.
    cell = MIN_SIDE if params.options.overlay_inpaint else 1
    covered = cover_cells(mask, cell=cell)
    fill = None if latent_mask is None else cover_cells(latent_mask, cell=cell)
    return tuple(
        InitPicture(
            image=_filled(cover_cells(image, cell=cell), fill or covered, params),
            mask=covered,
            overlay=make_overlay(image, doubled),
            overlay_mask=doubled,
            original=image,
            latent_mask=fill,
        )
        for image in resized
    )


def _resized(image: Image.Image, params: Img2ImgParams, upscaler: Upscaler | None) -> Image.Image:
    if params.resize_mode == LATENT_UPSCALE:
        return image
    return _at_size(image, params, upscaler, mode=params.resize_mode)


def _at_size(image: Image.Image, params: Img2ImgParams, upscaler: Upscaler | None, *, mode: ResizeMode) -> Image.Image:
    return resize(image, mode=mode, width=params.width, height=params.height, upscaler=upscaler)


def _filled(image: Image.Image, mask: Image.Image, params: Img2ImgParams) -> Image.Image:
    return image if params.inpainting_fill == ORIGINAL_CONTENT else fill_masked(image, mask)
