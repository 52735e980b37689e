"""The model family of a checkpoint file, recognized by the names and shapes of its tensors."""

from collections.abc import Callable, Mapping
from enum import StrEnum

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"


class Family(StrEnum):
    """Model families; the values are the words shown to users."""

    SD1 = "Stable Diffusion 1.x"
    SD1_INPAINT = "Stable Diffusion 1.x inpainting"
    INSTRUCT_PIX2PIX = "InstructPix2Pix"
    SD2 = "Stable Diffusion 2.x"
    SD2_INPAINT = "Stable Diffusion 2.x inpainting"
    SD2_OTHER = "Stable Diffusion 2.x for depth, upscaling or image variations"
    SDXL = "Stable Diffusion XL"
    SDXL_INPAINT = "Stable Diffusion XL inpainting"
    SDXL_EDIT = "Stable Diffusion XL for editing"
    SDXL_REFINER = "Stable Diffusion XL refiner"
    SD3 = "Stable Diffusion 3"
    FLUX = "Flux"
    DIFFUSERS_UNET = "a UNet alone in diffusers' layout"
    LDM_UNET = "a Stable Diffusion UNet without a text encoder"
    VAE = "a VAE"
    LORA = "a LoRA"
    CONTROLNET = "a ControlNet"
    EMBEDDING = "a textual inversion embedding"
    UNKNOWN = "no model this version knows"


def _has(*prefixes: str) -> Callable[[Shapes], bool]:
    """Match files in which each of these prefixes begins the name of at least one tensor."""
    return lambda shapes: all(any(name.startswith(prefix) for name in shapes) for prefix in prefixes)


def _takes(channels: int, *prefixes: str) -> Callable[[Shapes], bool]:
    """Match files with a UNet of that many input channels and tensors with each of these prefixes."""
    return lambda shapes: shapes.get(CONV_IN, (0, 0))[1:2] == (channels,) and _has(*prefixes)(shapes)


_CLIP_L, _CLIP_H, _CLIP_G = "cond_stage_model.transformer.", "cond_stage_model.model.", "conditioner.embedders.1.model."


# The first match wins. Sources of the layouts: semantics §8.1, §8.2, §8.5.
_SIGNS: tuple[tuple[Family, Callable[[Shapes], bool]], ...] = (
    (Family.CONTROLNET, _has("control_model.")),
    (Family.CONTROLNET, _has("controlnet_cond_embedding.")),
    (Family.SDXL_INPAINT, _takes(9, _CLIP_G)),
    (Family.SDXL_EDIT, _takes(8, _CLIP_G)),
    (Family.SDXL, _has(_CLIP_G)),
    (Family.SDXL_REFINER, _has("conditioner.embedders.0.model.")),
    (Family.SD3, _has("model.diffusion_model.joint_blocks.")),
    (Family.FLUX, _has("model.diffusion_model.double_blocks.")),
    (Family.FLUX, _has("double_blocks.")),
    (Family.SD2_OTHER, _has("depth_model.")),
    (Family.SD2_OTHER, _has("embedder.model.", "model.diffusion_model.")),
    (Family.SD2_OTHER, _takes(5, _CLIP_H)),
    (Family.SD2_OTHER, _takes(7, _CLIP_H)),
    (Family.SD2_INPAINT, _takes(9, _CLIP_H)),
    (Family.SD2, _has("model.diffusion_model.", _CLIP_H)),
    (Family.SD1, _takes(4, _CLIP_L)),
    (Family.INSTRUCT_PIX2PIX, _takes(8, _CLIP_L)),
    (Family.SD1_INPAINT, _takes(9, _CLIP_L)),
    (Family.LDM_UNET, _has("model.diffusion_model.input_blocks.")),
    (Family.LORA, lambda shapes: any(".lora_" in name or name.startswith("lora_") for name in shapes)),
    (Family.DIFFUSERS_UNET, _has("down_blocks.", "up_blocks.", "mid_block.")),
    (Family.VAE, _has("first_stage_model.decoder.")),
    (Family.VAE, _has("vae.decoder.")),
    (Family.VAE, _has("encoder.", "decoder.")),
    (Family.EMBEDDING, _has("emb_params")),
    (Family.EMBEDDING, _has("clip_l", "clip_g")),
)


def detect_family(shapes: Shapes) -> Family:
    """The family of a file with these tensors; UNKNOWN if nothing matches."""
    for family, fits in _SIGNS:
        if fits(shapes):
            return family
    return Family.UNKNOWN
