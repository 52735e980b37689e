"""The request field `infotext`: fills the fields that the request leaves open from a picture's infotext.

Entries fill the same fields as in WebUI 1.10.1: both tasks take seed, sampler and options from it, img2img also
Soft Inpainting, txt2img also prompts, sizes, hypernetworks and hires fix, also in its first form (`First pass size`).
Three differences are deliberate: checkpoint and VAE come from the job and not from the infotext; width and height in
`Seed resize from` are not swapped; only its own entries switch hires fix on.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from generate_on_cloud.contract.hires_sizes import old_first_size
from generate_on_cloud.contract.limits import MAX_SIDE
from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import ImageParams, Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.samplers import (
    COMFYUI_NAMES,
    SAMPLERS,
    SCHEDULE_LABELS,
    choose_sampler,
    sampler_with_alias,
    schedule_named,
)
from generate_on_cloud.contract.scripts import ENABLED_LABEL, LABELS, SoftInpainting, with_soft_inpainting
from generate_on_cloud.webui.infotext.parser import Infotext, parse_infotext

Params = TypeVar("Params", bound=ImageParams)
Read = Callable[[str], object]
Value = TypeVar("Value")

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
IMG2IMG_FIELDS: Mapping[str, tuple[str, Read]] = MappingProxyType(
    {"initial_noise_multiplier": ("Noise multiplier", float)}
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
        "Pad conds v0": "pad_cond_uncond_v0",
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
        "Hypertile U-Net": "hypertile_enable_unet",
        "Hypertile U-Net second pass": "hypertile_enable_unet_secondpass",
        "Hypertile U-Net max depth": "hypertile_max_depth_unet",
        "Hypertile U-Net max tile size": "hypertile_max_tile_unet",
        "Hypertile U-Net swap size": "hypertile_swap_size_unet",
        "Hypertile VAE": "hypertile_enable_vae",
        "Hypertile VAE max depth": "hypertile_max_depth_vae",
        "Hypertile VAE max tile size": "hypertile_max_tile_vae",
        "Hypertile VAE swap size": "hypertile_swap_size_vae",
        "Noise Schedule": "sd_noise_schedule",
        "Downcast alphas_cumprod": "use_downcasted_alpha_bar",
        "Refiner switch by sampling steps": "refiner_switch_by_sample_steps",
        "Old prompt editing timelines": "use_old_scheduling",
        "VAE Encoder": "sd_vae_encode_method",
        "VAE Decoder": "sd_vae_decode_method",
    }
)
"""The option that each entry sets."""


FACES = "Face restoration"
"""The entry of pictures with restored faces: the model's name."""
UNNAMED_SAMPLER = "DPM++ 2M"
"""What WebUI draws with if an infotext names no sampler, nor the request: the first of its list."""
SILENT_ENTRIES = frozenset(
    {
        "Model hash", "Model", "VAE hash", "VAE", "Version", "User", "Lora hashes", "TI hashes", "Init image hash",
        "Hashes", "Created Date", "Civitai resources", "Civitai metadata", "App", "Hypernet hash", "Batch pos",
    }
)  # fmt: skip
"""Entries that only describe a picture, or that the job itself decides; users do not expect them to be used."""


def fill_in(params: Params) -> Params:
    """Fill the open fields and options of `params` from their `infotext`, if they have one.

    A field is open if the request leaves it out or sets it to null.

    Raises:
        ValueError: the value of an entry is not allowed; the message names the entry.
    """
    if not params.infotext:
        return params
    infotext = parse_infotext(params.infotext)
    given = {name: getattr(params, name) for name in params.model_fields_set}
    found = {**_fields(infotext, params), **given}
    found["override_settings"] = {**_options(infotext), **params.override_settings}
    if isinstance(params, Img2ImgParams) and (arguments := _soft_inpainting(infotext)):
        found["alwayson_scripts"] = with_soft_inpainting(params.alwayson_scripts, arguments)
    try:
        return type(params).model_validate(found)
    except ValidationError as error:
        raise ValueError(_reasons(error, params)) from error


def unused_entries(params: ImageParams) -> tuple[str, ...]:
    """Names of the entries of the `infotext` that have no effect, in order, without those of the prompts."""
    if not params.infotext:
        return ()
    used = {entry for entry, _ in _table(params).values()} | OPTION_ENTRIES.keys() | SILENT_ENTRIES | {FACES}
    if isinstance(params, Img2ImgParams):
        used |= {ENABLED_LABEL, *LABELS}
    if isinstance(params, Txt2ImgParams):
        used |= {"First pass size-1", "First pass size-2", "Hypernet", "Hypernet strength"}
    infotext = parse_infotext(params.infotext)
    unread = [name for name in infotext.parameters if name not in used]
    empty = [name for name in infotext.empty if name not in SILENT_ENTRIES]
    return tuple(dict.fromkeys(name.removesuffix("-1").removesuffix("-2") for name in (*unread, *empty)))


def _table(params: ImageParams) -> Mapping[str, tuple[str, Read]]:
    return {**FIELDS, **(TXT2IMG_FIELDS if isinstance(params, Txt2ImgParams) else IMG2IMG_FIELDS)}


def _fields(infotext: Infotext, params: ImageParams) -> dict[str, object]:
    entries = dict(infotext.parameters)
    drawn_from_text = isinstance(params, Txt2ImgParams)
    if drawn_from_text:
        _read_old_hires_fix(entries)
    found = {
        name: _read(entry, _whole if read is int else read, entries[entry])
        for name, (entry, read) in _table(params).items()
        if entry in entries
    }
    found |= _sampler_of_others(found)
    found |= _sampler(found, given=params.model_fields_set)
    if drawn_from_text:
        found |= {"prompt": infotext.prompt + _hypernetwork(entries), "negative_prompt": infotext.negative_prompt}
        found["enable_hr"] = "Denoising strength" in entries and not HIRES_ENTRIES.isdisjoint(entries)
    return found


def _read_old_hires_fix(entries: dict[str, str]) -> None:
    """In old infotexts, `First pass size` is that of the first pass and `Size` the picture's; 0x0: WebUI chooses."""
    if "First pass size-1" not in entries:
        return
    width, height = (_read(size, _side, entries.get(size, "512")) for size in ("Size-1", "Size-2"))
    first = (_read("First pass size-1", _side, entries["First pass size-1"]),
             _read("First pass size-2", _side, entries.get("First pass size-2", "0")))  # fmt: skip
    if 0 in first:
        first = old_first_size(width, height)
    entries |= {"Size-1": str(first[0]), "Size-2": str(first[1])}
    entries |= {"Hires resize-1": str(width), "Hires resize-2": str(height)}


def _hypernetwork(entries: Mapping[str, str]) -> str:
    """The tag for the single hypernetwork of WebUI versions without tags."""
    if "Hypernet" not in entries:
        return ""
    return f"<hypernet:{entries['Hypernet']}:{entries.get('Hypernet strength', '1.0')}>"


def _sampler_of_others(found: Mapping[str, object]) -> dict[str, object]:
    """Sampler and schedule by the names of WebUI's aliases and of ComfyUI, as other tools write them."""
    if "sampler_name" not in found:
        return {}
    name = str(found["sampler_name"])
    if (sampler := sampler_with_alias(name)) is not None:
        return {"sampler_name": sampler}
    for alias in sorted(COMFYUI_NAMES, key=len, reverse=True):
        if name == alias:
            return {"sampler_name": COMFYUI_NAMES[alias]}
        if name.startswith(f"{alias}_") and (schedule := schedule_named(name[len(alias) + 1 :])) is not None:
            return {"sampler_name": COMFYUI_NAMES[alias], "scheduler": SCHEDULE_LABELS[schedule]}
    return {}


def _sampler(found: Mapping[str, object], *, given: set[str]) -> dict[str, object]:
    """Sampler and schedule as two fields; a schedule at the end of the sampler's name overrides the entry."""
    name = found.get("sampler_name")
    for field, sampler, schedule in (("sampler_name", name, None), ("scheduler", "Euler", found.get("scheduler"))):
        if field in found and field not in given:
            try:
                choose_sampler(str(sampler), None if schedule is None else str(schedule))
            except ValueError as error:
                entry = FIELDS[field][0]
                raise ValueError(f"{entry}: {error}. The request's own {field} goes before this entry") from error
    if name is None and "sampler_name" not in given:
        return {"sampler_name": UNNAMED_SAMPLER}
    if name is None or name in SAMPLERS or "sampler_name" in given or "scheduler" in given:
        return {}
    choice = choose_sampler(str(name), None)
    return {"sampler_name": choice.sampler, "scheduler": choice.schedule.value}


def _options(infotext: Infotext) -> dict[str, object]:
    """The options in the infotext that differ from their defaults."""
    found: dict[str, object] = {}
    for entry, option in OPTION_ENTRIES.items():
        if entry in infotext.parameters:
            kind = type(OPTIONS[option].default)
            value = _read(
                entry,
                _clip_skip if entry == "Clip skip" else {bool: _truth, int: _whole}.get(kind, kind),
                infotext.parameters[entry],
            )
            if value != OPTIONS[option].default:
                found[option] = value
    if FACES in infotext.parameters:
        found |= {"face_restoration": True, "face_restoration_model": infotext.parameters[FACES]}
    return found | dict.fromkeys(_old_ways(infotext), True)


def _soft_inpainting(infotext: Infotext) -> list[object]:
    """The arguments of Soft Inpainting in the infotext; none if it has none."""
    entries = infotext.parameters
    if entries.keys().isdisjoint((ENABLED_LABEL, *LABELS)):
        return []
    defaults = astuple(SoftInpainting())
    numbers = [
        _read(label, _number, entries[label]) if label in entries else default
        for label, default in zip(LABELS, defaults, strict=True)
    ]
    return [_read(ENABLED_LABEL, _truth, entries.get(ENABLED_LABEL, "False")), *numbers]


def _old_ways(infotext: Infotext) -> Iterator[str]:
    """Options for what the WebUI that drew the picture still did (its `infotext_versions.backcompat`)."""
    entries = infotext.parameters
    if infotext.is_before(1, 6, 0) and "[" in infotext.prompt:
        yield "use_old_scheduling"
    if infotext.is_before(1, 6, 0) and entries.get("Sampler") in ("DDIM", "PLMS"):
        yield "pad_cond_uncond_v0"
    if infotext.is_before(1, 7, 0, 225):
        yield "use_downcasted_alpha_bar"
    if infotext.is_before(1, 8, 0) and entries.get("Refiner"):
        yield "refiner_switch_by_sample_steps"


def _clip_skip(text: str) -> int:
    """Numbers below 2 mean no clip skip in WebUI; ComfyUI's tools write negative ones."""
    return max(_whole(text), 1)


def _whole(text: str) -> int:
    """A whole number, also as `20.0`, as tools write it that keep all numbers as fractions."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _number(text: str) -> int | float:
    """A whole number stays one, so that the next infotext shows it as this one does."""
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _side(text: str) -> int:
    """A side in pixels, or something larger than any."""
    return min(int(text), 10 * MAX_SIDE)


def _read(entry: str, read: Callable[[str], Value], text: str) -> Value:
    try:
        return read(text)
    except ValueError as error:
        kind = "True or False" if read is _truth else "a number"
        raise ValueError(f"received {text[:99]!r} for {entry}; allowed: {kind}") from error


def _reasons(error: ValidationError, params: ImageParams) -> str:
    """pydantic's findings, with the names of the infotext's entries."""
    entries = {name: entry.removesuffix("-1").removesuffix("-2") for name, (entry, _) in _table(params).items()}
    reasons = []
    for found in error.errors(include_url=False, include_context=False):
        field = str(found["loc"][0]) if found["loc"] else ""
        message = found["msg"].removeprefix("Value error, ")
        if field == "override_settings":
            message = next(
                (f"{entry}: {message}" for entry, option in OPTION_ENTRIES.items() if f" {option};" in message), message
            )
        elif field:
            received = repr(found["input"])[:99]
            message = f"{entries.get(field, field)}: received {received}; {message[:1].lower()}{message[1:]}"
        reasons.append(message)
    return "; ".join(reasons)
