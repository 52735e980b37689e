"""Writes a generation as infotext and as WebUI's `info` document (semantics §1.4, §7)."""

import json

from generate_on_cloud.contract.samplers import SAMPLERS, SCHEDULE_LABELS, Schedule
from generate_on_cloud.webui.infotext.record import SHORT_HASH, GenerationRecord, InfoValue

PNG_KEY = "parameters"
"""Key of the text chunk that contains the infotext in a PNG."""


def write_infotext(record: GenerationRecord, index: int) -> str:
    """The infotext of image `index`."""
    negative = record.negative_prompts[index]
    lines = [record.prompts[index]]
    if negative:
        lines.append(f"Negative prompt: {negative}")
    lines.append(write_parameters(infotext_parameters(record, index)))
    return "\n".join(lines).strip()


def infotext_parameters(record: GenerationRecord, index: int) -> dict[str, InfoValue]:
    """The entries of the last line in WebUI's order; None values are not written."""
    varied = record.subseed_strength != 0
    resized = min(record.seed_resize_from) > 0
    parameters: dict[str, InfoValue] = {
        "Steps": record.steps,
        "Sampler": record.sampler,
        "Schedule type": record.schedule_label,
        "CFG scale": record.cfg_scale,
        "Image CFG scale": record.image_cfg_scale,
        "Seed": record.seeds[index],
        "Face restoration": record.face_restoration_model if record.restore_faces else None,
        "Size": f"{record.width}x{record.height}",
        "Model hash": record.model_sha256[:SHORT_HASH],
        "Model": record.model_name,
        "VAE hash": _short_hash(record.vae_sha256),
        "VAE": record.vae_name,
        "Variation seed": record.subseeds[index] if varied else None,
        "Variation seed strength": record.subseed_strength if varied else None,
        "Seed resize from": f"{record.seed_resize_from[0]}x{record.seed_resize_from[1]}" if resized else None,
        "Denoising strength": None,
        "Conditional mask weight": record.conditional_mask_weight,
        "Clip skip": record.clip_skip if record.clip_skip > 1 else None,
        "ENSD": record.eta_noise_seed_delta,
        "Token merging ratio": record.token_merging_ratio or None,
        "Token merging ratio hr": record.token_merging_ratio_hr or None,
        "Init image hash": record.init_image_hash,
        "RNG": record.randn_source if record.randn_source != "GPU" else None,
        "Tiling": True if record.tiling else None,
    }
    # An extra entry with the key of an entry above takes its place.
    hires = {"Hires prompt": record.hires_prompt, "Hires negative prompt": record.hires_negative_prompt}
    extra = {**record.extra, **{key: text for key, text in hires.items() if text is not None}}
    parameters |= extra | {"Version": record.version, "User": record.user}
    return {key: value for key, value in parameters.items() if key not in record.hidden}


def write_parameters(parameters: dict[str, InfoValue]) -> str:
    """Format as `Key: value, Key: value`; if a value equals its key, only the key is written."""
    return ", ".join(
        key if key == value else f"{key}: {quote(value)}" for key, value in parameters.items() if value is not None
    )


def quote(value: str | float | bool) -> str:
    """Quote a value as a JSON string if it contains a character that would end it: a comma, a colon or a newline.

    Values that begin with a quotation mark or have outer spaces are quoted too; WebUI does not quote them and then
    misreads them.
    """
    text = str(value)
    if any(mark in text for mark in ",:\n") or text.startswith('"') or text != text.strip():
        return json.dumps(text, ensure_ascii=False)
    return text


def build_info(record: GenerationRecord) -> dict[str, object]:
    """The `info` document of txt2img and img2img as a dictionary; WebUI's API sends it as a JSON string."""
    return {
        "prompt": record.prompts[0],
        "all_prompts": list(record.prompts),
        "negative_prompt": record.negative_prompts[0],
        "all_negative_prompts": list(record.negative_prompts),
        "seed": record.seeds[0],
        "all_seeds": list(record.seeds),
        "subseed": record.subseeds[0],
        "all_subseeds": list(record.subseeds),
        "subseed_strength": record.subseed_strength,
        "width": record.width,
        "height": record.height,
        "sampler_name": record.sampler,
        "cfg_scale": record.cfg_scale,
        "steps": record.steps,
        "batch_size": record.batch_size,
        "restore_faces": record.restore_faces,
        "face_restoration_model": record.face_restoration_model if record.restore_faces else None,
        "sd_model_name": record.model_name,
        "sd_model_hash": record.model_sha256[:SHORT_HASH],
        "sd_vae_name": record.vae_name,
        "sd_vae_hash": _short_hash(record.vae_sha256),
        "seed_resize_from_w": record.seed_resize_from[0],
        "seed_resize_from_h": record.seed_resize_from[1],
        "denoising_strength": record.denoising_strength,
        "extra_generation_params": {**record.extra, **_schedule_extra(record)},
        "index_of_first_image": record.index_of_first_image,
        "infotexts": _infotexts(record),
        "styles": list(record.styles),
        "job_timestamp": record.job_timestamp,
        "clip_skip": record.clip_skip,
        "is_using_inpainting_conditioning": record.is_using_inpainting_conditioning,
        "version": record.version,
    }


def _schedule_extra(record: GenerationRecord) -> dict[str, InfoValue]:
    """As WebUI does, record the schedule of σ samplers unless it is the model's own."""
    rule = SAMPLERS.get(record.sampler)
    if record.schedule_label == SCHEDULE_LABELS[Schedule.AUTOMATIC] or (rule is not None and rule.timestep):
        return {}
    return {"Schedule type": record.schedule_label}


def _infotexts(record: GenerationRecord) -> list[str]:
    # A grid that precedes the images has the first image's infotext.
    grid = [write_infotext(record, 0)] * record.index_of_first_image
    return grid + [write_infotext(record, index) for index in range(record.drawn or len(record.prompts))]


def _short_hash(sha256: str | None) -> str | None:
    return sha256[:SHORT_HASH] if sha256 is not None else None
