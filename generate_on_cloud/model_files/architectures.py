"""Which family of models a network or ControlNet was made for, and whether it fits the checkpoint of a job.

The order of evidence is docs/assets.md's: what decides when a network is put to use comes first.
"""

import re
from collections.abc import Mapping

from generate_on_cloud.model_files.families import Family, Shape
from generate_on_cloud.model_files.network_kinds import kind_of

BASES: tuple[Family, ...] = (Family.SD1, Family.SD2, Family.SDXL, Family.SDXL_REFINER)
"""Families that networks are made for and this version draws with."""
_VARIANTS: Mapping[str, Family] = {
    Family.SD1_INPAINT: Family.SD1,
    Family.INSTRUCT_PIX2PIX: Family.SD1,
    Family.SD2_INPAINT: Family.SD2,
    Family.SDXL_INPAINT: Family.SDXL,
    Family.SDXL_EDIT: Family.SDXL,
}
"""Families with the layers of another one, but for the channels of the first."""
CONTEXT_WIDTHS: Mapping[int, Family] = {
    768: Family.SD1,
    1024: Family.SD2,
    2048: Family.SDXL,
    1280: Family.SDXL_REFINER,
}
"""Width of the text a UNet attends to."""
_ATTENDING = ("attn2_to_k", "attn2_to_v")
"""Layers that take it as their input."""
_LAYERS: tuple[tuple[re.Pattern[str], Family], ...] = (
    (re.compile(r"double_blocks|single_blocks|single_transformer_blocks"), Family.FLUX),
    (re.compile(r"joint_blocks"), Family.SD3),
    (re.compile(r"^lora_te2_"), Family.SDXL),
    # Depths of a block's transformer: 1 in Stable Diffusion 1 and 2, 4 in the refiner, 10 in XL.
    (re.compile(r"^lora_unet_.*(?:attentions_\d|blocks_\d+_1|middle_block_1)_transformer_blocks_[4-9]_"), Family.SDXL),
)
"""What only the layers of one family are called."""
_TEXT_WIDTHS: tuple[tuple[str, Mapping[int, Family]], ...] = (
    ("lora_te_", {768: Family.SD1, 1024: Family.SD2, 1280: Family.SDXL_REFINER}),
    # The first text encoder of XL is that of Stable Diffusion 1.
    ("lora_te1_", {1024: Family.SD2, 1280: Family.SDXL_REFINER}),
)
"""By the beginning of a text encoder's layers: their width."""
_WIDE_AS_TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "mlp_fc1")
_METADATA = ("ss_base_model_version", "modelspec.architecture")
_SAID: tuple[tuple[str, Family], ...] = (
    ("stable-diffusion-xl-v1-refiner", Family.SDXL_REFINER),
    ("sdxl", Family.SDXL),
    ("stable-diffusion-xl", Family.SDXL),
    ("sd_v1", Family.SD1),
    ("stable-diffusion-v1", Family.SD1),
    ("sd_v2", Family.SD2),
    ("stable-diffusion-v2", Family.SD2),
    ("sd3", Family.SD3),
    ("stable-diffusion-3", Family.SD3),
    ("stable-diffusion-v3", Family.SD3),
    ("flux", Family.FLUX),
)
"""How the values begin that trainers write into that metadata."""

Layers = Mapping[str, Mapping[str, Shape]]
"""Shapes of the parts of each layer, by kohya's name for it."""


def network_architecture(layers: Layers, metadata: Mapping[str, str]) -> Family | None:
    """What a network was made for: as its layers show, else as its trainer says; None when nothing tells."""
    return shown_architecture(layers) or _said(metadata)


def shown_architecture(layers: Layers) -> Family | None:
    """What the layers alone show: their names, then the width of the words the UNet reads, then the text encoder's."""
    for pattern, family in _LAYERS:
        if any(pattern.search(layer) for layer in layers):
            return family
    for layer, parts in layers.items():
        if layer.endswith(_ATTENDING) and (width := _inputs(parts)) in CONTEXT_WIDTHS:
            return CONTEXT_WIDTHS[width]
    for beginning, widths in _TEXT_WIDTHS:
        for layer, parts in layers.items():
            wide_as_text = layer.startswith(beginning) and layer.endswith(_WIDE_AS_TEXT)
            if wide_as_text and (width := _inputs(parts)) in widths:
                return widths[width]
    return None


def fits(made_for: str, drawn_with: str) -> bool:
    """Whether what was made for one architecture can be used on a checkpoint of another, both in Family's words."""
    return _VARIANTS.get(drawn_with, drawn_with) == made_for


def misfit(made_for: str | None, *, checkpoint: str, drawn_with: str) -> str:
    """Why a network or ControlNet cannot be used with a checkpoint, wherever that is noticed."""
    return f"it is made for {made_for or 'an unknown model'}, the checkpoint {checkpoint} is {drawn_with}"


def _inputs(parts: Mapping[str, Shape]) -> int:
    kind = kind_of(parts)
    return 0 if kind is None else kind.inputs_of(parts)


def _said(metadata: Mapping[str, str]) -> Family | None:
    for key in _METADATA:
        said = metadata.get(key, "").lower()
        for beginning, family in _SAID:
            if said.startswith(beginning):
                return family
    return None
