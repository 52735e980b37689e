"""Everything that the infotext and the `info` document record about one generation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from generate_on_cloud.contract.samplers import SCHEDULE_LABELS, SamplerChoice, resolve_schedule

InfoValue = str | int | float | bool | None
"""None is written to `info` but left out of infotexts."""

SHORT_HASH = 10
"""The number of hex digits that WebUI shows of a checkpoint's or VAE's SHA-256."""

MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")
"""WebUI's labels, indexed by `inpainting_fill`."""


@dataclass(frozen=True)
class MaskRecord:
    """The mask settings that were used; there is no record if there was no mask."""

    blur_x: int
    blur_y: int
    inverted: bool
    inpainting_fill: int
    """0 to 3, an index into MASKED_CONTENT; that of `original` for a mask that was empty."""
    only_masked_padding: int | None
    """In pixels if only the masked area was drawn; None for the whole picture."""


@dataclass(frozen=True)
class GenerationRecord:
    """One request's generation over all its batches; sequences have an entry per requested image, in order."""

    prompts: tuple[str, ...]
    """With styles applied and comments removed, but still with extra-network tags."""
    negative_prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]
    steps: int
    sampler: str
    """WebUI's label, e.g. `DPM++ 2M`."""
    schedule_label: str
    """The resolved schedule, e.g. `Karras`; `Automatic` for the model's own. See `schedule_label_of`."""
    cfg_scale: float
    width: int
    """Width of the processed image in pixels."""
    height: int
    batch_size: int
    """Pictures per batch that were drawn; fewer init pictures than were asked for make it smaller."""
    model_name: str
    """The checkpoint file's stem."""
    model_sha256: str
    version: str
    """Name and version of the software that made the picture."""
    job_timestamp: str
    """`YYYYMMDDhhmmss`"""
    styles: tuple[str, ...] = ()
    image_cfg_scale: float | None = None
    """InstructPix2Pix models only."""
    subseed_strength: float = 0
    seed_resize_from: tuple[int, int] = (-1, -1)
    """Width and height; used if both are above 0."""
    denoising_strength: float | None = None
    """None for txt2img."""
    clip_skip: int = 1
    vae_name: str | None = None
    """The VAE file, if it is not the checkpoint's own VAE."""
    vae_sha256: str | None = None
    restore_faces: bool = False
    face_restoration_model: str | None = None
    conditional_mask_weight: float | None = None
    """Inpainting checkpoints only."""
    is_using_inpainting_conditioning: bool = False
    eta_noise_seed_delta: int | None = None
    """Set only if the sampler used it and it is not 0."""
    token_merging_ratio: float = 0
    token_merging_ratio_hr: float = 0
    init_image_hash: str | None = None
    randn_source: str = "GPU"
    tiling: bool = False
    hires_prompt: str | None = None
    """The second pass's prompt if it differs; as in WebUI, in infotexts only. Written where `extra` has its key."""
    hires_negative_prompt: str | None = None
    user: str | None = None
    index_of_first_image: int = 0
    """1 if a grid precedes the images."""
    drawn: int | None = None
    """Number of images that were drawn, if fewer than were asked for; only they have infotexts."""
    hidden: frozenset[str] = frozenset()
    """Entries that infotexts are to leave out; `info` has them all."""
    extra: Mapping[str, InfoValue] = field(default_factory=dict)
    """`extra_generation_params`: those of `img2img_extra`, then further entries in the order they are written."""


def schedule_label_of(choice: SamplerChoice) -> str:
    """The name of this choice's schedule in infotext."""
    return SCHEDULE_LABELS[resolve_schedule(choice)]


def img2img_extra(
    *,
    denoising_strength: float,
    mask: MaskRecord | None = None,
) -> dict[str, InfoValue]:
    """The entries that img2img and inpainting add to `GenerationRecord.extra`, in WebUI's order."""
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
