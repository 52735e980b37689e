"""Hires fix: the size of txt2img's second pass, and the enlarging of the first pass (WebUI 1.10.1's rules)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.limits import MAX_SIDE, MIN_SIDE
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.samplers import SamplerChoice
from generate_on_cloud.webui.infotext.record import InfoValue
from generate_on_cloud.webui.prompt.styles import Style
from inference_container.drawing.latents import SCALE, decode_image, encode_images
from inference_container.drawing.prompts import Prompts, read_hires_prompts
from inference_container.drawing.sampling_record import hires_schedule_label
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.upscaling import Upscaler, upscale

DEFAULT_UPSCALER = "Latent"
LATENT_MODES: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "Latent": ("bilinear", False),
        "Latent (antialiased)": ("bilinear", True),
        "Latent (bicubic)": ("bicubic", False),
        "Latent (bicubic antialiased)": ("bicubic", True),
        "Latent (nearest)": ("nearest", False),
        "Latent (nearest-exact)": ("nearest-exact", False),
    }
)
"""Interpolation mode and antialiasing by upscaler."""


@dataclass(frozen=True)
class HiresPlan:
    """A request's second pass of txt2img; `passes.Pass` is a pass that is ready to run."""

    width: int
    """Width of the enlarged picture in pixels, before `crop`."""
    height: int
    crop: tuple[int, int]
    """Columns and rows to crop from the enlarged latents, half of them on each side."""
    upscaler: str
    choice: SamplerChoice
    steps: int
    denoising_strength: float
    prompts: Prompts
    first_picture: Image.Image | None = None
    """`firstpass_image`, RGB: enlarged instead of a first pass."""
    pixel_upscaler: Upscaler | None = None
    """The upscaler for pictures, unless `upscaler` is one for latents."""

    @property
    def latent_size(self) -> tuple[int, int]:
        """Columns and rows of the latents in the second pass."""
        return self.width // SCALE - self.crop[0], self.height // SCALE - self.crop[1]

    @property
    def drawn_size(self) -> tuple[int, int]:
        """Width and height of its pictures in pixels."""
        columns, rows = self.latent_size
        return columns * SCALE, rows * SCALE


def with_first_size(params: Txt2ImgParams) -> Txt2ImgParams:
    """Replace the size by `firstphase_width` and `firstphase_height`, as in WebUI since 1.0; both or neither are set.

    Raises:
        JobFailed: invalid_params, if one of them is missing or below 64.
    """
    params = params.with_plain_sizes()
    width, height = params.firstphase_width, params.firstphase_height
    if width == height == 0:
        return params
    if min(width, height) < MIN_SIDE:
        message = f"firstphase: received {width}x{height}; allowed: 0x0 or at least {MIN_SIDE}x{MIN_SIDE}"
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message)
    return params.model_copy(update={"width": width, "height": height})


def plan_hires(
    params: Txt2ImgParams,
    *,
    styles: Mapping[str, Style],
    first_picture: Image.Image | None = None,
    pixel_upscaler: Upscaler | None = None,
) -> HiresPlan | None:
    """Plan the second pass; None without `enable_hr`.

    Raises:
        JobFailed: invalid_params, if `denoising_strength` is missing or the target size is not allowed; or raised by
            `read_hires_prompts`.
    """
    if not params.enable_hr:
        return None
    if params.denoising_strength is None:
        message = "denoising_strength: received none with enable_hr; allowed: 0 to 1"
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message)
    width, height = params.enlarged_size()
    crop = (0, 0)
    if params.hr_resize_x and params.hr_resize_y:
        crop = ((width - params.hr_resize_x) // SCALE, (height - params.hr_resize_y) // SCALE)
    plan = HiresPlan(
        width=width,
        height=height,
        crop=crop,
        upscaler=params.hr_upscaler or DEFAULT_UPSCALER,
        choice=params.hires_choice(),
        steps=params.hr_second_pass_steps or params.steps,
        denoising_strength=params.denoising_strength,
        prompts=read_hires_prompts(params, styles),
        first_picture=first_picture,
        pixel_upscaler=pixel_upscaler,
    )
    if max(width, height) > MAX_SIDE or min(plan.latent_size) < 1:
        message = (
            f"hires fix: received a target of {width}x{height} pixels, cut by {crop[0] * SCALE}x{crop[1] * SCALE}; "
            f"allowed: {SCALE} to {MAX_SIDE} pixels a side"
        )
        raise JobFailed(JobErrorCode.INVALID_PARAMS, message)
    return plan


def enlarge(
    checkpoint: Checkpoint, latents: Tensor | None, hires: HiresPlan, *, second: Checkpoint | None = None
) -> Tensor:
    """Enlarge the latents of the first pass, (B,4,h,w), or those of `first_picture`, to the size of the second pass.

    Intermediate pictures are decoded by the first pass's `checkpoint` and encoded by the `second` one, if it differs.

    Raises:
        JobFailed: nan_latents, if the first pass cannot be decoded.
    """
    if hires.upscaler in LATENT_MODES:
        small = _first_latents(second or checkpoint, hires) if latents is None else latents
        mode, antialias = LATENT_MODES[hires.upscaler]
        size = (hires.height // SCALE, hires.width // SCALE)
        large = torch.nn.functional.interpolate(small, size=size, mode=mode, antialias=antialias)
    else:
        pictures = _first_pictures(checkpoint, latents, hires)
        resized = [upscale(one, hires.pixel_upscaler, width=hires.width, height=hires.height) for one in pictures]
        large = torch.cat([encode_images(second or checkpoint, [one]) for one in resized])
    columns, rows = hires.crop
    height, width = large.shape[-2:]
    return large[:, :, rows // 2 : height - (rows + 1) // 2, columns // 2 : width - (columns + 1) // 2]


def encodes(hires: HiresPlan) -> bool:
    """Whether a picture is encoded before the second pass."""
    return hires.first_picture is not None or hires.upscaler not in LATENT_MODES


def _first_latents(checkpoint: Checkpoint, hires: HiresPlan) -> Tensor:
    if hires.first_picture is None:
        raise TypeError("received neither latents nor a picture to enlarge")
    return encode_images(checkpoint, [hires.first_picture])


def _first_pictures(checkpoint: Checkpoint, latents: Tensor | None, hires: HiresPlan) -> list[Image.Image]:
    if latents is not None:
        return [decode_image(checkpoint, one) for one in latents]
    if hires.first_picture is None:
        raise TypeError("received neither latents nor a picture to enlarge")
    return [hires.first_picture]


def hires_extra(params: Txt2ImgParams, *, checkpoint: str | None = None) -> dict[str, InfoValue]:
    """The entries that hires fix adds to `extra_generation_params`, in WebUI's order; `info` omits the prompts.

    `checkpoint` is the title of the second pass's checkpoint, if it has its own.
    """
    extra: dict[str, InfoValue] = {"Denoising strength": params.denoising_strength}
    if checkpoint is not None:
        extra["Hires checkpoint"] = checkpoint
    first, second = params.sampler_choice(), params.hires_choice()
    if second.sampler != first.sampler:
        extra["Hires sampler"] = second.sampler
    extra |= {"Hires prompt": None, "Hires negative prompt": None}
    extra["Hires schedule type"] = hires_schedule_label(first, second)
    if params.hr_resize_x == 0 and params.hr_resize_y == 0:
        extra["Hires upscale"] = params.hr_scale
    else:
        extra["Hires resize"] = f"{params.hr_resize_x}x{params.hr_resize_y}"
    if params.hr_second_pass_steps:
        extra["Hires steps"] = params.hr_second_pass_steps
    if params.hr_upscaler is not None:
        extra["Hires upscaler"] = params.hr_upscaler
    return extra
