"""Parameters of every task: WebUI 1.10.1's own field names, API defaults and ranges (semantics §1).

Every field of WebUI is declared here. `unsupported` names those that this version does not support yet
unless they hold their default, so nothing is silently ignored. Two deliberate differences from WebUI: unknown fields
are refused, and an explicit null in a field with a default means that default.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from generate_on_cloud.contract.controlnet import CONTROLNET, ControlNetUnit, read_controlnet
from generate_on_cloud.contract.hires_sizes import old_first_size
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.limits import (
    MAX_BLUR,
    MAX_MEGAPIXEL_STEPS,
    MAX_PICTURES,
    MAX_PIXELS,
    MAX_PROMPT,
    MAX_SCALE,
    MAX_SIDE,
    MAX_STEPS,
    MAX_TIMESTEPS,
    MIN_SIDE,
)
from generate_on_cloud.contract.options import (
    MAX_SEED,
    OPTIONS,
    HasOptions,
    OptionRefusedError,
    check_option,
    describe_options,
)
from generate_on_cloud.contract.samplers import SAMPLERS, SCHEDULE_LABELS, SamplerChoice, Schedule, choose_sampler
from generate_on_cloud.contract.scripts import ALWAYSON_SCRIPTS, SoftInpainting, check_titles, read_soft_inpainting
from generate_on_cloud.contract.single_image_params import (
    ExtraBatchImagesParams,
    ExtraSingleImageParams,
    InterrogateClipParams,
    InterrogateDeepbooruParams,
)
from generate_on_cloud.contract.task_params import Picture, ScriptedParams, TaskParams
from generate_on_cloud.contract.upscalers import HIRES_UPSCALER_SCHEMA, built_in_upscaler, read_upscaler

OLD_HIRES_SIZES = "use_old_hires_fix_width_height"
MAX_ECHO = 2**20
"""Maximum base64 characters that `include_init_images` may add to a result, which passes through a Lambda."""


def _seed(value: object) -> object:
    if isinstance(value, int) and value > MAX_SEED:
        raise ValueError(f"input should be less than or equal to {MAX_SEED}")  # pydantic's own message rounds it
    return -1 if value in ("", None) else value


def _no_limit(value: object) -> object:
    """None for the Infinity that WebUI's own clients send, as a number or, from C#, as text."""
    return None if value == math.inf or str(value).lower() in ("inf", "infinity") else value


def _thousandths(pixel_steps: int) -> Decimal:
    return (Decimal(pixel_steps) / 10**6).quantize(Decimal("0.001"))


def _check_steps(name: str, steps: int, choice: SamplerChoice) -> None:
    if SAMPLERS[choice.sampler].timestep and steps > MAX_TIMESTEPS:
        raise ValueError(f"received {name} = {steps} with {choice.sampler}; allowed: up to {MAX_TIMESTEPS}")


Seed = Annotated[int, BeforeValidator(_seed), Field(ge=-1, le=MAX_SEED)]
"""-1, "" and null ask for a random seed."""
Prompt = Annotated[str, Field(max_length=MAX_PROMPT)]
Eta = Annotated[float, Field(ge=0, le=1)]


class ImageParams(HasOptions, ScriptedParams):
    """Fields that txt2img and img2img share."""

    prompt: Prompt = ""
    negative_prompt: Prompt = ""
    styles: list[str] = Field(default=[])
    seed: Seed = -1
    subseed: Seed = -1
    subseed_strength: float = Field(default=0, ge=0, le=1)
    seed_resize_from_h: int = Field(default=-1, ge=-1, le=MAX_SIDE)
    seed_resize_from_w: int = Field(default=-1, ge=-1, le=MAX_SIDE)
    sampler_name: str | None = None
    """None: use `sampler_index`."""
    sampler_index: str = "Euler"
    scheduler: str | None = None
    batch_size: int = Field(default=1, ge=1, le=MAX_PICTURES)
    n_iter: int = Field(default=1, ge=1, le=MAX_PICTURES)
    steps: int = Field(default=50, ge=1, le=MAX_STEPS)
    cfg_scale: float = Field(default=7.0, ge=-MAX_SCALE, le=MAX_SCALE)
    width: int = Field(default=512, ge=MIN_SIDE, le=MAX_SIDE)
    height: int = Field(default=512, ge=MIN_SIDE, le=MAX_SIDE)
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    eta: Eta | None = None
    s_churn: float | None = Field(default=None, ge=0, le=MAX_SCALE)
    s_tmin: float | None = Field(default=None, ge=0)
    s_tmax: Annotated[float | None, BeforeValidator(_no_limit)] = Field(default=None, ge=0)
    s_noise: float | None = Field(default=None, ge=0)
    s_min_uncond: float | None = Field(default=None, ge=0, le=MAX_SCALE)
    override_settings: dict[str, Any] = Field(default={}, json_schema_extra=describe_options)
    """The options that the request sets; `options` has all of them."""
    override_settings_restore_afterwards: bool = True
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = Field(default=None, ge=0, le=1)
    disable_extra_networks: bool = False
    firstpass_image: Picture | None = None
    comments: dict[str, Any] = Field(default={})
    alwayson_scripts: dict[str, Any] = Field(default={})
    send_images: bool = True
    """Meant for answers that contain the pictures. A job's result always says where they are stored."""
    save_images: bool = False
    force_task_id: str | None = None
    infotext: Annotated[str, Field(max_length=4 * MAX_PROMPT)] | None = None
    """A picture's infotext: fills in what the request leaves open (see `generate_on_cloud.webui.infotext.fill`)."""

    @field_validator("alwayson_scripts")
    @classmethod
    def _scripts_are_known(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_titles(value, allowed=ALWAYSON_SCRIPTS[cls.task()])
        read_soft_inpainting(value)
        pictured = issubclass(cls, Img2ImgParams)
        for number, unit in enumerate(read_controlnet(value)):
            if unit.image is None and not pictured:
                raise ValueError(f"{CONTROLNET} {number}: received no image; allowed: a map or picture as base64")
        return value

    @field_validator("scheduler")
    @classmethod
    def _empty_scheduler_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("override_settings")
    @classmethod
    def _options_are_known(cls, value: dict[str, Any]) -> dict[str, Any]:
        refused = []
        for key, option in value.items():
            try:
                check_option(key, option)
            except OptionRefusedError as error:
                refused.append(str(error))
        tile, overlap = (value.get(key, OPTIONS[key].default) for key in ("ESRGAN_tile", "ESRGAN_tile_overlap"))
        if not refused and 0 < tile <= overlap:
            refused.append(f"received ESRGAN_tile {tile}; allowed: 0, or more than ESRGAN_tile_overlap, {overlap}")
        if refused:
            raise ValueError("; ".join(refused))
        return value

    @model_validator(mode="after")
    def _sampler_exists(self) -> "ImageParams":
        _check_steps("steps", self.steps, self.sampler_choice())
        return self

    @model_validator(mode="after")
    def _is_not_too_much(self) -> "ImageParams":
        pixels, work = self.pixels_at_once(), self.megapixel_steps()
        pictures = sum(run.params.batch_size * run.params.n_iter * run.times for run in self.runs() if run.draws)
        if pictures > MAX_PICTURES:
            raise ValueError(f"received batch_size × n_iter = {pictures} pictures; allowed: up to {MAX_PICTURES}")
        if pixels > MAX_PIXELS:
            raise ValueError(f"received width × height × batch_size = {pixels} pixels; allowed: up to {MAX_PIXELS}")
        if work > MAX_MEGAPIXEL_STEPS:
            raise ValueError(f"received {work:.0f} megapixels × steps × pictures; allowed: up to {MAX_MEGAPIXEL_STEPS}")
        return self

    def restores_faces(self) -> bool:
        """The field `restore_faces`, or the option if the request leaves the field open."""
        option: bool = self.override_settings.get("face_restoration", False)
        return option if self.restore_faces is None else self.restore_faces

    @classmethod
    def task(cls) -> Task:
        return Task.IMG2IMG if issubclass(cls, Img2ImgParams) else Task.TXT2IMG

    def pixels_at_once(self) -> int:
        """Pixels of a batch, in its larger pass; with a script, of its largest drawing."""
        return max((run.params.batch_pixels() for run in self.runs()), default=0)

    def megapixel_steps(self) -> Decimal:
        """Width × height / 10⁶ × steps × pictures, for both passes together: the figure that quotas count."""
        return _thousandths(sum(run.params.job_pixel_steps() * run.times for run in self.runs()))

    def job_pixel_steps(self) -> int:
        """Width × height × steps × pictures, for both passes, without a script."""
        return self._pixel_steps() * self.batch_size * self.n_iter

    def batch_pixels(self) -> int:
        """Pixels of a batch, in its larger pass, without a script."""
        return self.width * self.height * self.batch_size

    def _pixel_steps(self) -> int:
        return self.width * self.height * self.steps

    def controlnet_units(self) -> tuple[ControlNetUnit, ...]:
        """The enabled units, in order."""
        return read_controlnet(self.alwayson_scripts)

    def sampler_choice(self) -> SamplerChoice:
        """The sampler and schedule that the request names."""
        return choose_sampler(self.sampler_name or self.sampler_index, self.scheduler)


class Txt2ImgParams(ImageParams):
    enable_hr: bool = False
    denoising_strength: float | None = Field(default=None, ge=0, le=1)
    firstphase_width: int = Field(default=0, ge=0, le=MAX_SIDE)
    firstphase_height: int = Field(default=0, ge=0, le=MAX_SIDE)
    hr_scale: float = Field(default=2.0, ge=0, le=MAX_SIDE / MIN_SIDE)
    """0 only with `hr_resize_x` or `hr_resize_y`."""
    hr_upscaler: str | None = Field(default=None, json_schema_extra=HIRES_UPSCALER_SCHEMA)
    hr_second_pass_steps: int = Field(default=0, ge=0, le=MAX_STEPS)
    hr_resize_x: int = Field(default=0, ge=0, le=MAX_SIDE)
    hr_resize_y: int = Field(default=0, ge=0, le=MAX_SIDE)
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: Prompt = ""
    """"" means the same as `prompt`."""
    hr_negative_prompt: Prompt = ""

    @field_validator("hr_sampler_name", "hr_scheduler", "hr_checkpoint_name")
    @classmethod
    def _use_same_is_none(cls, value: str | None) -> str | None:
        return None if not value or value.startswith("Use same ") else value

    @field_validator("hr_upscaler")
    @classmethod
    def _upscaler_in_its_own_spelling(cls, value: str | None) -> str | None:
        return None if value is None else built_in_upscaler(value) or value

    @model_validator(mode="after")
    def _hires_fix_is_complete(self) -> "Txt2ImgParams":
        if self.enable_hr:
            _check_steps("hr_second_pass_steps", self.hr_second_pass_steps or self.steps, self.hires_choice())
            width, height = self.with_plain_sizes().enlarged_size()
            if max(width, height) > MAX_SIDE or min(width, height) < MIN_SIDE:
                raise ValueError(
                    f"hires fix: received a target of {width}x{height} pixels; allowed: {MIN_SIDE} to {MAX_SIDE} a side"
                )
            if self.hr_upscaler is not None:
                read_upscaler(self.hr_upscaler, latent=True)
            if self.denoising_strength is None and self.infotext is None:
                raise ValueError("enable_hr needs denoising_strength; received null, allowed: 0 to 1")
        return self

    def hires_choice(self) -> SamplerChoice:
        """The sampler and schedule of the second pass; by default those of the first."""
        first = self.sampler_choice()
        own = None if first.schedule is Schedule.AUTOMATIC else SCHEDULE_LABELS[first.schedule]
        schedule = self.hr_scheduler or own
        return choose_sampler(self.hr_sampler_name or first.sampler, schedule)

    def with_plain_sizes(self) -> "Txt2ImgParams":
        """The same request without the option `use_old_hires_fix_width_height`, in the sizes that it means."""
        if not self.enable_hr or self.override_settings.get(OLD_HIRES_SIZES) is not True:
            return self
        width, height = self.firstphase_width or self.width, self.firstphase_height or self.height
        first_width, first_height = old_first_size(width, height)
        return self.model_copy(
            update={
                "width": first_width,
                "height": first_height,
                "firstphase_width": 0,
                "firstphase_height": 0,
                "hr_resize_x": width,
                "hr_resize_y": height,
                "override_settings": {**self.override_settings, OLD_HIRES_SIZES: False},
            }
        )

    def enlarged_size(self) -> tuple[int, int]:
        """Width and height after hires fix: by `hr_scale`, or just enough to cover `hr_resize_x` by `hr_resize_y`.

        Call it on what `with_plain_sizes` returns.
        """
        width, height, x, y = self.width, self.height, self.hr_resize_x, self.hr_resize_y
        if x == 0 and y == 0:
            return int(width * self.hr_scale), int(height * self.hr_scale)
        if y == 0 or (x != 0 and width / height < x / y):
            return x, x * height // width
        return y * width // height, y

    def batch_pixels(self) -> int:
        if not self.enable_hr:
            return super().batch_pixels()
        plain = self.with_plain_sizes()
        width, height = plain.enlarged_size()
        return max(plain.width * plain.height, width * height) * self.batch_size

    def _pixel_steps(self) -> int:
        if not self.enable_hr:
            return super()._pixel_steps()
        width, height = self.with_plain_sizes().enlarged_size()
        return super()._pixel_steps() + width * height * (self.hr_second_pass_steps or self.steps)


class Img2ImgParams(ImageParams):
    init_images: list[Picture] = Field(min_length=1)
    resize_mode: Literal[0, 1, 2, 3] = 0
    denoising_strength: float = Field(default=0.75, ge=0, le=1)
    image_cfg_scale: float | None = Field(default=None, ge=0, le=MAX_SCALE)
    """For InstructPix2Pix checkpoints; all others ignore it, as in WebUI."""
    mask: Picture | None = None
    mask_blur_x: int = Field(default=4, ge=0, le=MAX_BLUR)
    mask_blur_y: int = Field(default=4, ge=0, le=MAX_BLUR)
    mask_blur: int | None = Field(default=None, ge=0, le=MAX_BLUR)
    """Overwrites both axes when set."""
    mask_round: bool = True
    inpainting_fill: Literal[0, 1, 2, 3] = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = Field(default=0, ge=0, le=MAX_SIDE)
    inpainting_mask_invert: Literal[0, 1] = 0
    initial_noise_multiplier: float | None = Field(default=None, ge=0, le=MAX_SCALE)
    latent_mask: None = None
    """WebUI declares it but cannot decode it, so any value is refused."""
    include_init_images: bool = False
    """Return the pictures in `parameters`, up to MAX_ECHO characters; larger ones would not fit into an answer."""

    @model_validator(mode="after")
    def _echo_is_small(self) -> "Img2ImgParams":
        size = sum(map(len, [*self.init_images, self.mask or ""]))
        if self.include_init_images and size > MAX_ECHO:
            raise ValueError(
                f"include_init_images: received pictures of {size} characters; allowed: {MAX_ECHO} in all, or false"
            )
        return self

    @model_validator(mode="after")
    def _pictures_fit_the_batch(self) -> "Img2ImgParams":
        count = len(self.init_images)
        if 1 < count > self.batch_size:
            raise ValueError(
                f"init_images: received {count} for batch_size {self.batch_size}; allowed: 1 to batch_size"
            )
        return self

    def soft_inpainting(self) -> SoftInpainting | None:
        """Its settings; None when it is disabled or there is no mask."""
        return None if self.mask is None else read_soft_inpainting(self.alwayson_scripts)

    def mask_blur_axes(self) -> tuple[int, int]:
        """Gaussian σ along x and y, in pixels."""
        if self.mask_blur is not None:
            return self.mask_blur, self.mask_blur
        return self.mask_blur_x, self.mask_blur_y


PARAMS_BY_TASK: Mapping[Task, type[TaskParams]] = MappingProxyType(
    {
        Task.TXT2IMG: Txt2ImgParams,
        Task.IMG2IMG: Img2ImgParams,
        Task.INTERROGATE_CLIP: InterrogateClipParams,
        Task.INTERROGATE_DEEPBOORU: InterrogateDeepbooruParams,
        Task.EXTRA_SINGLE_IMAGE: ExtraSingleImageParams,
        Task.EXTRA_BATCH_IMAGES: ExtraBatchImagesParams,
    }
)
