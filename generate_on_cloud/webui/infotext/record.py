"""Everything infotext and the `info` document say about one generation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from generate_on_cloud.contract.samplers import SCHEDULE_LABELS, SamplerChoice, resolve_schedule

InfoValue = str | int | float | bool | None
"""None is kept in `info` and left out of infotexts."""

SHORT_HASH = 10
"""Hex digits of a checkpoint's or VAE's SHA-256 that WebUI shows."""

MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")
"""By `inpainting_fill`."""


@dataclass(frozen=True)
class MaskRecord:
    """The mask settings that were in force; no record at all when there was no mask or an empty one."""

    blur_x: int
    blur_y: int
    inverted: bool
    inpainting_fill: int
    """0 … 3, index of MASKED_CONTENT."""
    only_masked_padding: int | None
    """Pixels, when only the masked area was drawn; None for the whole picture."""


@dataclass(frozen=True)
class GenerationRecord:
    """One request's generation over all its batches; sequences have one entry for each image, in their order."""

    prompts: tuple[str, ...]
    """Styles applied, comments removed, extra-network tags still inside."""
    negative_prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]
    steps: int
    sampler: str
    """WebUI's label, e.g. `DPM++ 2M`."""
    schedule_label: str
    """Of the resolved schedule, e.g. `Karras`; `Automatic` when it stays the model's own. See `schedule_label_of`."""
    cfg_scale: float
    width: int
    """Of the processing size, in pixels."""
    height: int
    batch_size: int
    model_name: str
    """The checkpoint file's stem."""
    model_sha256: str
    version: str
    """What made the picture, name and version of the software."""
    job_timestamp: str
    """`YYYYMMDDhhmmss`"""
    styles: tuple[str, ...] = ()
    image_cfg_scale: float | None = None
    """InstructPix2Pix models only."""
    subseed_strength: float = 0
    seed_resize_from: tuple[int, int] = (-1, -1)
    """Width, height; acts when both are above 0."""
    denoising_strength: float | None = None
    """None for txt2img."""
    clip_skip: int = 1
    vae_name: str | None = None
    """A VAE file other than the checkpoint's own."""
    vae_sha256: str | None = None
    restore_faces: bool = False
    face_restoration_model: str | None = None
    conditional_mask_weight: float | None = None
    """Inpainting checkpoints only."""
    is_using_inpainting_conditioning: bool = False
    eta_noise_seed_delta: int | None = None
    """Given only when the sampler used it and it is not 0."""
    token_merging_ratio: float = 0
    token_merging_ratio_hr: float = 0
    init_image_hash: str | None = None
    randn_source: str = "GPU"
    tiling: bool = False
    hires_prompt: str | None = None
    """Of the second pass, when it is another one; in infotexts only, as in WebUI. Written where `extra` has its key."""
    hires_negative_prompt: str | None = None
    user: str | None = None
    index_of_first_image: int = 0
    """1 when a grid precedes the images."""
    extra: Mapping[str, InfoValue] = field(default_factory=dict)
    """`extra_generation_params`: see `img2img_extra`; further entries in the order they shall be written."""


def schedule_label_of(choice: SamplerChoice) -> str:
    """What infotext calls the schedule of this choice."""
    return SCHEDULE_LABELS[resolve_schedule(choice)]


def img2img_extra(
    *,
    denoising_strength: float,
    mask: MaskRecord | None = None,
) -> dict[str, InfoValue]:
    """The entries of `GenerationRecord.extra` that img2img and inpainting add, in WebUI's order."""
    extra: dict[str, InfoValue] = {"Denoising strength": denoising_strength}
    if mask is not None:
        extra |= _mask_extra(mask)
    return extra


def _mask_extra(mask: MaskRecord) -> dict[str, InfoValue]:
    extra: dict[str, InfoValue] = {}
    if mask.inverted:
        extra["Mask mode"] = "Inpaint not masked"
    if mask.blur_x > 0 or mask.blur_y > 0:
        extra["Mask blur"] = mask.blur_x if mask.blur_x == mask.blur_y else None
    if mask.only_masked_padding is not None:
        extra["Inpaint area"] = "Only masked"
        extra["Masked area padding"] = mask.only_masked_padding
    if MASKED_CONTENT[mask.inpainting_fill] != "original":
        extra["Masked content"] = MASKED_CONTENT[mask.inpainting_fill]
    return extra
