"""WebUI options a request may set in `override_settings`: a row each, with WebUI's default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from generate_on_cloud.contract.upscalers import check_upscaler

OptionValue = bool | int | float | str


@dataclass(frozen=True)
class OptionRule:
    default: OptionValue
    allowed: tuple[OptionValue, ...] | None = None
    """The values there are, None when any value of the default's type is good."""
    minimum: float | None = None
    maximum: float | None = None
    check: Callable[[str], None] | None = None
    """Of texts: raises ValueError with the reason."""
    supported: bool = False
    """False: only the default is accepted, anything else is refused with `not_supported_yet`."""


OPTIONS: Mapping[str, OptionRule] = MappingProxyType(
    {
        "sd_model_checkpoint": OptionRule("", supported=True),
        "sd_vae": OptionRule("Automatic", supported=True),
        "CLIP_stop_at_last_layers": OptionRule(1, minimum=1, maximum=12, supported=True),
        "sdxl_clip_l_skip": OptionRule(False, supported=True),
        "eta_noise_seed_delta": OptionRule(0, supported=True),
        "randn_source": OptionRule("GPU", ("GPU", "CPU", "NV"), supported=True),
        "emphasis": OptionRule("Original", ("Original", "No norm", "Ignore", "None"), supported=True),
        "comma_padding_backtrack": OptionRule(20, minimum=0, maximum=74, supported=True),
        "pad_cond_uncond": OptionRule(False, supported=True),
        "use_old_scheduling": OptionRule(False, supported=True),
        "enable_prompt_comments": OptionRule(True, supported=True),
        "inpainting_mask_weight": OptionRule(1.0, minimum=0, maximum=1, supported=True),
        "img2img_fix_steps": OptionRule(False, supported=True),
        "img2img_color_correction": OptionRule(False, supported=True),
        "img2img_extra_noise": OptionRule(0.0, minimum=0, maximum=1, supported=True),
        "img2img_background_color": OptionRule("#ffffff", supported=True),
        "overlay_inpaint": OptionRule(True, supported=True),
        "return_mask": OptionRule(False, supported=True),
        "return_mask_composite": OptionRule(False, supported=True),
        "upscaler_for_img2img": OptionRule("None", check=check_upscaler, supported=True),
        "ESRGAN_tile": OptionRule(192, minimum=0, maximum=512, supported=True),
        "ESRGAN_tile_overlap": OptionRule(8, minimum=0, maximum=48, supported=True),
        "sgm_noise_multiplier": OptionRule(False, supported=True),
        "always_discard_next_to_last_sigma": OptionRule(False, supported=True),
        "sigma_min": OptionRule(0.0, minimum=0, supported=True),
        "sigma_max": OptionRule(0.0, minimum=0, supported=True),
        "rho": OptionRule(0.0, minimum=0, supported=True),
        "eta_ddim": OptionRule(0.0, minimum=0, maximum=1, supported=True),
        "eta_ancestral": OptionRule(1.0, minimum=0, maximum=1, supported=True),
        "s_churn": OptionRule(0.0, minimum=0, maximum=100, supported=True),
        "s_tmin": OptionRule(0.0, minimum=0, supported=True),
        "s_tmax": OptionRule(0.0, minimum=0, supported=True),
        "s_noise": OptionRule(1.0, minimum=0, supported=True),
        "s_min_uncond": OptionRule(0.0, minimum=0, maximum=15, supported=True),
        "s_min_uncond_all": OptionRule(False, supported=True),
        "skip_early_cond": OptionRule(0.0, minimum=0, maximum=1, supported=True),
        "uni_pc_variant": OptionRule("bh1", ("bh1", "bh2", "vary_coeff"), supported=True),
        "uni_pc_skip_type": OptionRule("time_uniform", ("time_uniform", "time_quadratic", "logSNR"), supported=True),
        "uni_pc_order": OptionRule(3, minimum=1, maximum=50, supported=True),
        "uni_pc_lower_order_final": OptionRule(True, supported=True),
        "beta_dist_alpha": OptionRule(0.6, minimum=0.01, maximum=1, supported=True),
        "beta_dist_beta": OptionRule(0.6, minimum=0.01, maximum=1, supported=True),
        "sd_noise_schedule": OptionRule("Default", ("Default", "Zero Terminal SNR"), supported=True),
        "enable_quantization": OptionRule(False, supported=True),
        "tiling": OptionRule(False, supported=True),
        "samples_format": OptionRule("png", ("png", "jpg", "jpeg", "webp"), supported=True),
        "jpeg_quality": OptionRule(80, minimum=1, maximum=100, supported=True),
        "webp_lossless": OptionRule(False, supported=True),
        "enable_pnginfo": OptionRule(True, supported=True),
        "sdxl_crop_top": OptionRule(0, minimum=0, supported=True),
        "sdxl_crop_left": OptionRule(0, minimum=0, supported=True),
        "sdxl_refiner_low_aesthetic_score": OptionRule(2.5, minimum=0, maximum=10, supported=True),
        "sdxl_refiner_high_aesthetic_score": OptionRule(6.0, minimum=0, maximum=10, supported=True),
        "token_merging_ratio": OptionRule(0.0, minimum=0, maximum=0.9, supported=True),
        "token_merging_ratio_img2img": OptionRule(0.0, minimum=0, maximum=0.9, supported=True),
        "token_merging_ratio_hr": OptionRule(0.0, minimum=0, maximum=0.9, supported=True),
        "sd_vae_encode_method": OptionRule("Full", ("Full", "TAESD")),
        "sd_vae_decode_method": OptionRule("Full", ("Full", "TAESD")),
        "face_restoration": OptionRule(False),
        "face_restoration_model": OptionRule("CodeFormer", ("CodeFormer", "GFPGAN")),
    }
)


class OptionRefusedError(ValueError):
    """An `override_settings` entry that is not accepted; the text names what was received and what is allowed."""


class OptionUnsupportedError(OptionRefusedError):
    """A valid entry that this version cannot honour."""


def check_option(key: str, value: object) -> OptionValue:
    """The value of option `key`, converted to the option's type (ints pass for floats).

    Raises:
        OptionRefusedError: an unknown key, a wrong type or a value out of range.
        OptionUnsupportedError: a good value other than the default, of an option not honoured yet.
    """
    rule = OPTIONS.get(key)
    if rule is None:
        raise OptionRefusedError(f"unknown option {key!r}; allowed: {', '.join(OPTIONS)}")
    checked = _typed(key, value, rule.default)
    if rule.allowed is not None and checked not in rule.allowed:
        raise OptionRefusedError(f"received {value!r} for {key}; allowed: {', '.join(map(str, rule.allowed))}")
    if isinstance(checked, (int, float)) and not isinstance(checked, bool):
        low, high = rule.minimum, rule.maximum
        if (low is not None and checked < low) or (high is not None and checked > high):
            bounds = f"from {'-∞' if low is None else low} to {'∞' if high is None else high}"
            raise OptionRefusedError(f"received {value!r} for {key}; allowed: {bounds}")
    if rule.check is not None and isinstance(checked, str):
        try:
            rule.check(checked)
        except ValueError as error:
            raise OptionRefusedError(f"{key}: {error}") from error
    if not rule.supported and checked != rule.default:
        raise OptionUnsupportedError(f"{key} = {value!r} is not supported yet; only {rule.default!r} is")
    return checked


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
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        return value
    raise OptionRefusedError(f"received {value!r} for {key}; allowed: a value of type {type(default).__name__}")
