"""The request field `infotext`: fills the fields that the request leaves open from a picture's infotext.

Entries fill the same fields as in WebUI 1.10.1: img2img takes seed, sampler and options from an infotext, txt2img also
takes prompts, sizes and hires fix. Three differences are deliberate: checkpoint and VAE come from the job and not from
the infotext; width and height in `Seed resize from` are not swapped; only its own entries switch hires fix on.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.webui.infotext.parser import Infotext, parse_infotext

Params = TypeVar("Params", bound=ImageParams)
Read = Callable[[str], object]

FIELDS: Mapping[str, tuple[str, Read]] = MappingProxyType(
    {
        "seed": ("Seed", int),
        "subseed": ("Variation seed", int),
        "subseed_strength": ("Variation seed strength", float),
        "seed_resize_from_w": ("Seed resize from-1", int),
        "seed_resize_from_h": ("Seed resize from-2", int),
        "steps": ("Steps", int),
        "sampler_name": ("Sampler", str),
        "scheduler": ("Schedule type", str),
        "refiner_checkpoint": ("Refiner", str),
        "refiner_switch_at": ("Refiner switch at", float),
    }
)
"""Fields of both tasks: the infotext's entry and how its text is read."""

TXT2IMG_FIELDS: Mapping[str, tuple[str, Read]] = MappingProxyType(
    {
        "cfg_scale": ("CFG scale", float),
        "width": ("Size-1", int),
        "height": ("Size-2", int),
        "batch_size": ("Batch size", int),
        "denoising_strength": ("Denoising strength", float),
        "hr_scale": ("Hires upscale", float),
        "hr_upscaler": ("Hires upscaler", str),
        "hr_second_pass_steps": ("Hires steps", int),
        "hr_resize_x": ("Hires resize-1", int),
        "hr_resize_y": ("Hires resize-2", int),
        "hr_checkpoint_name": ("Hires checkpoint", str),
        "hr_sampler_name": ("Hires sampler", str),
        "hr_scheduler": ("Hires schedule type", str),
        "hr_prompt": ("Hires prompt", str),
        "hr_negative_prompt": ("Hires negative prompt", str),
    }
)
HIRES_ENTRIES = frozenset({"Hires upscale", "Hires upscaler", "Hires resize-1"})

OPTION_ENTRIES: Mapping[str, str] = MappingProxyType(
    {
        "Clip skip": "CLIP_stop_at_last_layers",
        "Conditional mask weight": "inpainting_mask_weight",
        "Extra noise": "img2img_extra_noise",
        "ENSD": "eta_noise_seed_delta",
        "RNG": "randn_source",
        "Emphasis": "emphasis",
        "Tiling": "tiling",
        "Token merging ratio": "token_merging_ratio",
        "Token merging ratio hr": "token_merging_ratio_hr",
        "NGMS": "s_min_uncond",
        "NGMS all steps": "s_min_uncond_all",
        "Skip Early CFG": "skip_early_cond",
        "Pad conds": "pad_cond_uncond",
        "Eta": "eta_ancestral",
        "Eta DDIM": "eta_ddim",
        "Sigma churn": "s_churn",
        "Sigma tmin": "s_tmin",
        "Sigma tmax": "s_tmax",
        "Sigma noise": "s_noise",
        "Schedule min sigma": "sigma_min",
        "Schedule max sigma": "sigma_max",
        "Schedule rho": "rho",
        "Discard penultimate sigma": "always_discard_next_to_last_sigma",
        "SGM noise multiplier": "sgm_noise_multiplier",
        "UniPC variant": "uni_pc_variant",
        "UniPC skip type": "uni_pc_skip_type",
        "UniPC order": "uni_pc_order",
        "UniPC lower order final": "uni_pc_lower_order_final",
        "Beta schedule alpha": "beta_dist_alpha",
        "Beta schedule beta": "beta_dist_beta",
        "Noise Schedule": "sd_noise_schedule",
        "Old prompt editing timelines": "use_old_scheduling",
        "Face restoration": "face_restoration_model",
        "VAE Encoder": "sd_vae_encode_method",
        "VAE Decoder": "sd_vae_decode_method",
    }
)
"""The option that each entry sets."""


def fill_in(params: Params) -> Params:
    """Fill the open fields and options of `params` from their `infotext`, if they have one.

    A field is open if the request leaves it out or sets it to null.

    Raises:
        ValueError: an entry is not a number where one is required, or the field or option does not allow its value
            (pydantic's ValidationError is a ValueError).
    """
    if not params.infotext:
        return params
    infotext = parse_infotext(params.infotext)
    given = {name: getattr(params, name) for name in params.model_fields_set}
    found = {**_fields(infotext, txt2img=isinstance(params, Txt2ImgParams)), **given}
    found["override_settings"] = {**_options(infotext), **params.override_settings}
    return type(params).model_validate(found)


def _fields(infotext: Infotext, *, txt2img: bool) -> dict[str, object]:
    fields = {**FIELDS, **TXT2IMG_FIELDS} if txt2img else dict(FIELDS)
    entries = infotext.parameters
    found = {name: _read(entry, read, entries[entry]) for name, (entry, read) in fields.items() if entry in entries}
    if txt2img:
        found |= {"prompt": infotext.prompt, "negative_prompt": infotext.negative_prompt}
        found["enable_hr"] = "Denoising strength" in entries and not HIRES_ENTRIES.isdisjoint(entries)
    return found


def _options(infotext: Infotext) -> dict[str, object]:
    """The options in the infotext that differ from their defaults."""
    found = {}
    for entry, option in OPTION_ENTRIES.items():
        if entry in infotext.parameters:
            kind = type(OPTIONS[option].default)
            value = _read(entry, _truth if kind is bool else kind, infotext.parameters[entry])
            if value != OPTIONS[option].default:
                found[option] = value
    if infotext.use_old_scheduling and "[" in infotext.prompt:
        found["use_old_scheduling"] = True
    return found


def _truth(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


def _read(entry: str, read: Read, text: str) -> object:
    try:
        return read(text)
    except ValueError as error:
        kind = "True or False" if read is _truth else "a number"
        raise ValueError(f"infotext: received {text!r} for {entry}; allowed: {kind}") from error
