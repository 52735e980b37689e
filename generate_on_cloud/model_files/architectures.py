"""Which model family a network or ControlNet was made for, and whether it fits a job's checkpoint.

docs/assets.md gives the order of evidence: first what decides when the network is used.
"""

import re
from collections.abc import Mapping

from generate_on_cloud.model_files.family_names import Family, Shape
from generate_on_cloud.model_files.foreign_models import foreign_model
from generate_on_cloud.model_files.network_kinds import kind_of

BASES: tuple[Family, ...] = (Family.SD1, Family.SD2, Family.SDXL, Family.SDXL_REFINER)
"""Families that this version draws with and that networks exist for."""
_VARIANTS: Mapping[str, Family] = {
    Family.SD1_INPAINT: Family.SD1,
    Family.INSTRUCT_PIX2PIX: Family.SD1,
    Family.SD2_INPAINT: Family.SD2,
    Family.SDXL_INPAINT: Family.SDXL,
    Family.SDXL_EDIT: Family.SDXL,
}
"""Families whose layers equal those of another one, except for the first layer's channels."""
CONTEXT_WIDTHS: Mapping[int, Family] = {
    768: Family.SD1,
    1024: Family.SD2,
    2048: Family.SDXL,
    1280: Family.SDXL_REFINER,
}
"""Families by the width of the text embedding that the UNet attends to."""
_ATTENDING = ("attn2_to_k", "attn2_to_v")
"""Layers whose input is the text embedding."""
_LAYERS: tuple[tuple[re.Pattern[str], Family], ...] = (
    (re.compile(r"^lora_te2_"), Family.SDXL),
    # Depths of a block's transformer: 1 in Stable Diffusion 1 and 2, up to 4 in the refiner, up to 10 in XL.
    (re.compile(r"^lora_unet_.*(?:attentions_\d|blocks_\d+_1|middle_block_1)_transformer_blocks_[4-9]_"), Family.SDXL),
)
"""Layer names that occur in one family only."""
_OUTER_ATTENTION = re.compile(
    r"^lora_unet_(?:down_blocks_0|up_blocks_3|input_blocks_[12]_1|output_blocks_(?:9|1[01])_1)_"
)
"""Transformers at the largest size, which Stable Diffusion 1 and 2 have and XL has not."""
_DEEPER_ATTENTION = re.compile(r"^lora_unet_.*_transformer_blocks_(\d)_attn1_to_[qkv]$")
_ENTRANCE = ("_proj_in", "_proj_out")
"""Convolutions in Stable Diffusion 1, matrices in Stable Diffusion 2 and XL."""
_OUTER_WIDTH = 320
_SELF_WIDTHS: Mapping[int, Family] = {
    640: Family.SDXL,
    1280: Family.SDXL,
    768: Family.SDXL_REFINER,
    1536: Family.SDXL_REFINER,
}
"""Families by the width of a transformer that is more than one block deep."""
_TEXT_WIDTHS: tuple[tuple[str, Mapping[int, Family]], ...] = (
    ("lora_te_", {768: Family.SD1, 1024: Family.SD2, 1280: Family.SDXL_REFINER}),
    # The first text encoder of XL is that of Stable Diffusion 1.
    ("lora_te1_", {1024: Family.SD2, 1280: Family.SDXL_REFINER}),
)
"""Families by the width of a text encoder's layers, for each prefix of their names."""
_CLIP_L = 768
"""Width of the text encoder of Stable Diffusion 1, the first one of XL."""
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
"""Prefixes of the values that trainers write into that metadata."""

Layers = Mapping[str, Mapping[str, Shape]]
"""Shapes of each layer's parts, by kohya's name of the layer."""


def network_architecture(layers: Layers, metadata: Mapping[str, str]) -> Family | None:
    """The family a network was made for: from its layers, else from its metadata; None if neither shows it."""
    return foreign_model(layers) or shown_architecture(layers) or _said(metadata)


def shown_architecture(layers: Layers) -> Family | None:
    """The family by the layers alone: the text width that the UNet reads, then which layers there are and their widths.

    No prefix decides alone: `lora_te1_` is XL's first text encoder for kohya, the only one for diffusers.
    """
    for layer, parts in layers.items():
        if layer.endswith(_ATTENDING) and (width := _inputs(parts)) in CONTEXT_WIDTHS:
            return CONTEXT_WIDTHS[width]
    for pattern, family in _LAYERS:
        if any(pattern.search(layer) for layer in layers):
            return family
    return _by_unet(layers) or _by_text(layers)


def _by_unet(layers: Layers) -> Family | None:
    for layer, parts in layers.items():
        deep = _DEEPER_ATTENTION.search(layer)
        if deep and int(deep[1]) > 0 and (width := _inputs(parts)) in _SELF_WIDTHS:
            return _SELF_WIDTHS[width]
    for layer, parts in layers.items():
        outer = _OUTER_ATTENTION.search(layer) and layer.endswith(_ENTRANCE)
        axes = max((len(shape) for shape in parts.values()), default=0)
        if outer and axes in (2, 4) and _inputs(parts) == _OUTER_WIDTH:
            return Family.SD1 if axes == 4 else Family.SD2
    return None


def _by_text(layers: Layers) -> Family | None:
    for beginning, widths in _TEXT_WIDTHS:
        for layer, parts in layers.items():
            wide_as_text = layer.startswith(beginning) and layer.endswith(_WIDE_AS_TEXT)
            if wide_as_text and (width := _inputs(parts)) in widths:
                return widths[width]
    outer = any(_OUTER_ATTENTION.search(layer) for layer in layers)
    first = any(_inputs(parts) == _CLIP_L for layer, parts in layers.items() if _is_first_text(layer))
    return Family.SD1 if outer and first else None


def _is_first_text(layer: str) -> bool:
    return layer.startswith("lora_te1_") and layer.endswith(_WIDE_AS_TEXT)


def fits(made_for: str, drawn_with: str) -> bool:
    """Whether a file made for one architecture works with a checkpoint of another; both are values of Family."""
    return _VARIANTS.get(drawn_with, drawn_with) == made_for


def misfit(made_for: str | None, *, checkpoint: str, drawn_with: str) -> str:
    """The one wording of why a network or ControlNet cannot be used with a checkpoint."""
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
