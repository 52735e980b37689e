"""The model family of a checkpoint file, recognized by the names and shapes of its tensors."""

from collections.abc import Callable

from generate_on_cloud.model_files.checkpoint_names import (
    ALONE,
    FIRST,
    LABELS,
    OPEN_CLIP,
    SECOND,
    UNET,
    checkpoint_shapes,
)
from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.foreign_models import adapter, foreign_model

CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"


def _has(*prefixes: str) -> Callable[[Shapes], bool]:
    """Match files in which each of these prefixes begins the name of at least one tensor."""
    return lambda shapes: all(any(name.startswith(prefix) for name in shapes) for prefix in prefixes)


def _takes(channels: int, *prefixes: str) -> Callable[[Shapes], bool]:
    """Match files with a UNet of that many input channels and tensors with each of these prefixes."""
    return lambda shapes: shapes.get(CONV_IN, (0, 0))[1:2] == (channels,) and _has(*prefixes)(shapes)


# The first match wins. Sources of the layouts: semantics §8.1, §8.2, §8.5. Text encoders have the places and layouts of
# `checkpoint_names`. Matrices where a transformer begins distinguish Stable Diffusion 2 from 1 if OpenCLIP's names do
# not.
_OPEN_CLIP, _PROJECTION = ALONE + OPEN_CLIP, "model.diffusion_model.input_blocks.1.1.proj_in.weight"


_EDM_SIGNS = ("edm_vpred.sigma_max", "edm_mean")
"""Tensors that mark another kind of noise."""


def _is_sd2(shapes: Shapes) -> bool:
    return _has(ALONE)(shapes) and (_has(_OPEN_CLIP)(shapes) or len(shapes.get(_PROJECTION, ())) == 2)


_SIGNS: tuple[tuple[Family, Callable[[Shapes], bool]], ...] = (
    (Family.CONTROLNET, _has("control_model.")),
    (Family.CONTROLNET, _has("controlnet_cond_embedding.")),
    (Family.SDXL_EDM, lambda shapes: any(sign in shapes for sign in _EDM_SIGNS)),
    (Family.SDXL_INPAINT, _takes(9, SECOND)),
    (Family.SDXL_EDIT, _takes(8, SECOND)),
    (Family.SDXL, _has(UNET, SECOND)),
    (Family.SDXL_REFINER, _takes(4, FIRST, LABELS)),
    (Family.SD2_OTHER, _has("depth_model.")),
    (Family.SD2_OTHER, _has("embedder.model.", "model.diffusion_model.")),
    (Family.SD2_OTHER, lambda shapes: _takes(5, ALONE)(shapes) and _is_sd2(shapes)),
    (Family.SD2_OTHER, lambda shapes: _takes(7, ALONE)(shapes) and _is_sd2(shapes)),
    (Family.SD2_INPAINT, lambda shapes: _takes(9, ALONE)(shapes) and _is_sd2(shapes)),
    (Family.SD2, lambda shapes: _has(UNET)(shapes) and _is_sd2(shapes)),
    (Family.SD1, _takes(4, ALONE)),
    (Family.INSTRUCT_PIX2PIX, _takes(8, ALONE)),
    (Family.SD1_INPAINT, _takes(9, ALONE)),
    (Family.LDM_UNET, _has("model.diffusion_model.input_blocks.")),
    (Family.LORA, lambda shapes: any(".lora_" in name or name.startswith("lora_") for name in shapes)),
    (Family.DIFFUSERS_UNET, _has("down_blocks.", "up_blocks.", "mid_block.")),
    (Family.VAE, _has("first_stage_model.decoder.")),
    (Family.VAE, _has("encoder.", "decoder.")),
    (Family.EMBEDDING, _has("emb_params")),
    (Family.EMBEDDING, _has("clip_l", "clip_g")),
)


_VAGUE = (Family.UNKNOWN, Family.VAE, Family.CONTROLNET)
"""What the files of foreign models, which have parts of the same names, look like."""


def detect_family(shapes: Shapes) -> Family:
    """The family of a file with these tensors; UNKNOWN if nothing matches."""
    other = adapter(shapes)
    if other is not None:
        return other
    spelled = checkpoint_shapes(shapes)
    known = next((family for family, fits in _SIGNS if fits(spelled)), Family.UNKNOWN)
    foreign = foreign_model(shapes) if known in _VAGUE else None
    return foreign or known
