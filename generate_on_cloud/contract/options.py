"""WebUI options that a request may set in `override_settings`, each a typed field with WebUI's bounds and default."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from generate_on_cloud.contract.limits import MAX_SCALE, MAX_SIDE
from generate_on_cloud.contract.option_descriptions import OPTION_DESCRIPTIONS
from generate_on_cloud.contract.suggestions import nearest, same_name
from generate_on_cloud.contract.upscalers import PIXEL_UPSCALER_SCHEMA, read_upscaler

OptionValue = bool | int | float | str
MAX_SEED = 2**64 - 1
"""Larger ones are no other noise: torch's generators take 64 bits."""


NO_FILE = "None"


@dataclass(frozen=True)
class TextCheck:
    """A rule for the values of a text option."""

    check: Callable[[str], str]
    """The value in its own spelling; raises ValueError with the reason."""


def _choice_or_file(*choices: str) -> Callable[[str], str]:
    """Reads one of the choices in any case, or the name of a file."""
    return lambda value: same_name(value, choices) or value


class Options(BaseModel):
    """WebUI 1.10.1's options that a request may set, with WebUI's names, types, bounds and defaults."""

    # Names and capitals are WebUI's own.
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    sd_model_checkpoint: str = ""
    sd_vae: Annotated[str, TextCheck(_choice_or_file("Automatic", NO_FILE))] = "Automatic"
    CLIP_stop_at_last_layers: int = Field(default=1, ge=1, le=12)
    sdxl_clip_l_skip: bool = False
    eta_noise_seed_delta: int = Field(default=0, ge=-MAX_SEED, le=MAX_SEED)
    randn_source: Literal["GPU", "CPU", "NV"] = "GPU"
    emphasis: Literal["Original", "No norm", "Ignore", "None"] = "Original"
    comma_padding_backtrack: int = Field(default=20, ge=0, le=74)
    pad_cond_uncond: bool = False
    use_old_scheduling: bool = False
    enable_prompt_comments: bool = True
    inpainting_mask_weight: float = Field(default=1.0, ge=0, le=1)
    img2img_fix_steps: bool = False
    img2img_color_correction: bool = False
    img2img_extra_noise: float = Field(default=0.0, ge=0, le=1)
    img2img_background_color: str = "#ffffff"
    overlay_inpaint: bool = True
    return_grid: bool = True
    return_mask: bool = False
    return_mask_composite: bool = False
    upscaler_for_img2img: Annotated[str, TextCheck(read_upscaler), Field(json_schema_extra=PIXEL_UPSCALER_SCHEMA)] = (
        "None"
    )
    ESRGAN_tile: int = Field(default=192, ge=0, le=512)
    ESRGAN_tile_overlap: int = Field(default=8, ge=0, le=48)
    sgm_noise_multiplier: bool = False
    always_discard_next_to_last_sigma: bool = False
    sigma_min: float = Field(default=0.0, ge=0, le=MAX_SCALE)
    sigma_max: float = Field(default=0.0, ge=0, le=MAX_SCALE)
    rho: float = Field(default=0.0, ge=0, le=MAX_SCALE)
    eta_ddim: float = Field(default=0.0, ge=0, le=1)
    eta_ancestral: float = Field(default=1.0, ge=0, le=1)
    s_churn: float = Field(default=0.0, ge=0, le=100)
    s_tmin: float = Field(default=0.0, ge=0, le=MAX_SCALE)
    s_tmax: float = Field(default=0.0, ge=0, le=MAX_SCALE)
    s_noise: float = Field(default=1.0, ge=0, le=MAX_SCALE)
    s_min_uncond: float = Field(default=0.0, ge=0, le=15)
    s_min_uncond_all: bool = False
    skip_early_cond: float = Field(default=0.0, ge=0, le=1)
    uni_pc_variant: Literal["bh1", "bh2", "vary_coeff"] = "bh1"
    uni_pc_skip_type: Literal["time_uniform", "time_quadratic", "logSNR"] = "time_uniform"
    uni_pc_order: int = Field(default=3, ge=1, le=50)
    uni_pc_lower_order_final: bool = True
    beta_dist_alpha: float = Field(default=0.6, ge=0.01, le=1)
    beta_dist_beta: float = Field(default=0.6, ge=0.01, le=1)
    sd_noise_schedule: Literal["Default", "Zero Terminal SNR"] = "Default"
    enable_quantization: bool = False
    tiling: bool = False
    samples_format: Literal["png", "jpg", "jpeg", "webp", "avif"] = "png"
    jpeg_quality: int = Field(default=80, ge=1, le=100)
    webp_lossless: bool = False
    enable_pnginfo: bool = True
    sdxl_crop_top: int = Field(default=0, ge=0, le=MAX_SIDE)
    sdxl_crop_left: int = Field(default=0, ge=0, le=MAX_SIDE)
    sdxl_refiner_low_aesthetic_score: float = Field(default=2.5, ge=0, le=10)
    sdxl_refiner_high_aesthetic_score: float = Field(default=6.0, ge=0, le=10)
    token_merging_ratio: float = Field(default=0.0, ge=0, le=0.9)
    token_merging_ratio_img2img: float = Field(default=0.0, ge=0, le=0.9)
    token_merging_ratio_hr: float = Field(default=0.0, ge=0, le=0.9)
    use_old_emphasis_implementation: bool = False
    pad_cond_uncond_v0: bool = False
    use_downcasted_alpha_bar: bool = False
    use_old_karras_scheduler_sigmas: bool = False
    use_old_hires_fix_width_height: bool = False
    hires_fix_use_firstpass_conds: bool = False
    no_dpmpp_sde_batch_determinism: bool = False
    refiner_switch_by_sample_steps: bool = False
    hires_fix_refiner_pass: Literal["first pass", "second pass", "both passes"] = "second pass"  # noqa: S105
    hypertile_enable_unet: bool = False
    hypertile_enable_unet_secondpass: bool = False
    hypertile_max_depth_unet: int = Field(default=3, ge=0, le=3)
    hypertile_max_tile_unet: int = Field(default=256, ge=0, le=512)
    hypertile_swap_size_unet: int = Field(default=3, ge=0, le=64)
    hypertile_enable_vae: bool = False
    hypertile_max_depth_vae: int = Field(default=3, ge=0, le=3)
    hypertile_max_tile_vae: int = Field(default=128, ge=0, le=512)
    hypertile_swap_size_vae: int = Field(default=3, ge=0, le=64)
    batch_cond_uncond: bool = True
    upcast_attn: bool = False
    initial_noise_multiplier: float = Field(default=1.0, ge=0, le=1.5)
    sd_lora: Annotated[str, TextCheck(_choice_or_file(NO_FILE))] = NO_FILE
    sd_hypernetwork: Annotated[str, TextCheck(_choice_or_file(NO_FILE))] = NO_FILE
    extra_networks_default_multiplier: float = Field(default=1.0, ge=0, le=2)
    lora_functional: bool = False
    lora_preferred_name: Literal["Alias from file", "Filename"] = "Alias from file"
    lora_add_hashes_to_infotext: bool = True
    lora_bundled_ti_to_infotext: bool = True
    textual_inversion_add_hashes_to_infotext: bool = True
    add_model_hash_to_info: bool = True
    add_model_name_to_info: bool = True
    add_vae_hash_to_info: bool = True
    add_vae_name_to_info: bool = True
    add_user_name_to_info: bool = False
    add_version_to_infotext: bool = True
    sd_vae_encode_method: Literal["Full", "TAESD"] = "Full"
    sd_vae_decode_method: Literal["Full", "TAESD"] = "Full"
    show_progress_type: Literal["Full", "Approx NN", "Approx cheap", "TAESD"] = "Approx NN"
    face_restoration: bool = False
    face_restoration_model: Literal["CodeFormer", "GFPGAN"] = "CodeFormer"
    code_former_weight: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True)
class OptionRule:
    """The rule for one option, derived from its field in `Options`."""

    default: OptionValue
    allowed: tuple[OptionValue, ...] | None
    """The only allowed values; None: any value of the default's type."""
    minimum: float | None
    maximum: float | None
    check: Callable[[str], str] | None
    """For texts: the value in its own spelling; raises ValueError with the reason."""


def _rule(field: FieldInfo) -> OptionRule:
    # pydantic keeps each bound as an object whose attribute has the bound's name.
    low, high, text = (
        next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)
        for name in ("ge", "le", "check")
    )
    return OptionRule(
        default=field.default,
        allowed=get_args(field.annotation) or None,
        minimum=low,
        maximum=high,
        check=text,
    )


OPTIONS: Mapping[str, OptionRule] = MappingProxyType({name: _rule(each) for name, each in Options.model_fields.items()})


def read_options(override_settings: Mapping[str, object]) -> Options:
    """The options that a request sets, with WebUI's defaults for the others.

    Raises:
        OptionRefusedError: as in `check_option`.
    """
    # Checked one by one so that messages name what was received and what is allowed; this builds no pydantic validator.
    checked: dict[str, Any] = {key: check_option(key, value) for key, value in override_settings.items()}
    return Options.model_construct(**checked)


class HasOptions:
    """Params that may set options."""

    if TYPE_CHECKING:  # otherwise it would become the first field of the params
        override_settings: dict[str, Any]

    @property
    def options(self) -> Options:
        """WebUI's options for this request: from `override_settings`, else WebUI's defaults."""
        # Not cached: pydantic dumps a model with more in its `__dict__` as the wrong member of a union.
        return read_options(self.override_settings)


def describe_options(schema: dict[str, Any]) -> None:
    """Add every option to the JSON schema of `override_settings`; runs only when a schema is generated."""
    properties = Options.model_json_schema()["properties"]
    for name in OPTIONS:
        properties[name]["description"] = OPTION_DESCRIPTIONS[name]
    schema |= {"properties": properties, "additionalProperties": False}


class OptionRefusedError(ValueError):
    """An invalid `override_settings` entry; the text names what was received and what is allowed."""


def check_option(key: str, value: object) -> OptionValue:
    """The value of option `key`, converted to the option's type (ints pass for floats, and stay ints).

    Raises:
        OptionRefusedError: an unknown key, a wrong type or a value out of range.
    """
    rule = OPTIONS.get(key)
    if rule is None:
        raise OptionRefusedError(
            f"unknown option {key!r}; allowed: the {len(OPTIONS)} options in /v1/openapi.json{nearest(key, OPTIONS)}"
        )
    checked = _typed(key, value, rule.default)
    if rule.allowed is not None and isinstance(checked, str):
        checked = same_name(checked, map(str, rule.allowed)) or checked
    if rule.allowed is not None and checked not in rule.allowed:
        raise OptionRefusedError(f"received {value!r} for {key}; allowed: {', '.join(map(str, rule.allowed))}")
    if isinstance(checked, (int, float)) and not isinstance(checked, bool):
        low, high = rule.minimum, rule.maximum
        if (low is not None and checked < low) or (high is not None and checked > high):
            bounds = f"from {'-∞' if low is None else low} to {'∞' if high is None else high}"
            raise OptionRefusedError(f"received {value!r} for {key}; allowed: {bounds}")
    if rule.check is not None and isinstance(checked, str):
        try:
            return rule.check(checked)
        except ValueError as error:
            raise OptionRefusedError(f"{key}: {error}") from error
    return checked


def _is_finite(value: float) -> bool:
    """Whether it is a float: not NaN nor infinite, and no whole number beyond all floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _typed(key: str, value: object, default: OptionValue) -> OptionValue:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
    elif isinstance(default, int):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
    elif isinstance(default, float):
        if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_finite(value):
            return value  # a whole number stays one: infotexts show it as it was sent
    elif isinstance(value, str):
        return value
    kind = "a finite number" if isinstance(default, float) else f"a value of type {type(default).__name__}"
    raise OptionRefusedError(f"received {value!r} for {key}; allowed: {kind}")
