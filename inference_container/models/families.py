"""Which model a checkpoint file holds, told from the names and shapes of its tensors."""

from collections.abc import Callable, Mapping
from enum import StrEnum

Shapes = Mapping[str, tuple[int, ...]]

CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"
CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


class Family(StrEnum):
    """Values are the words users know."""

    SD1 = "Stable Diffusion 1.x"
    SD1_INPAINT = "Stable Diffusion 1.x inpainting"
    INSTRUCT_PIX2PIX = "InstructPix2Pix"
    SD2 = "Stable Diffusion 2.x"
    SDXL = "Stable Diffusion XL"
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
    """Every prefix begins some tensor's name."""
    return lambda shapes: all(any(name.startswith(prefix) for name in shapes) for prefix in prefixes)


def _sd1(channels: int) -> Callable[[Shapes], bool]:
    """A UNet with that many input channels and CLIP-L in Hugging Face's names."""
    return lambda shapes: (
        shapes.get(CONV_IN, (0, 0))[1:2] == (channels,) and _has("cond_stage_model.transformer.")(shapes)
    )


# In order: the first that fits. Facts of the layouts: semantics §8.1, §8.2, §8.5.
_SIGNS: tuple[tuple[Family, Callable[[Shapes], bool]], ...] = (
    (Family.CONTROLNET, _has("control_model.")),
    (Family.CONTROLNET, _has("controlnet_cond_embedding.")),
    (Family.SDXL, _has("conditioner.embedders.1.model.")),
    (Family.SDXL_REFINER, _has("conditioner.embedders.0.model.")),
    (Family.SD3, _has("model.diffusion_model.joint_blocks.")),
    (Family.FLUX, _has("model.diffusion_model.double_blocks.")),
    (Family.FLUX, _has("double_blocks.")),
    (Family.SD2, _has("model.diffusion_model.", "cond_stage_model.model.")),
    (Family.SD2, lambda shapes: shapes.get(CROSS_ATTENTION, ())[-1:] == (1024,)),
    (Family.SD1, _sd1(4)),
    (Family.INSTRUCT_PIX2PIX, _sd1(8)),
    (Family.SD1_INPAINT, _sd1(9)),
    (Family.LDM_UNET, _has("model.diffusion_model.input_blocks.")),
    (Family.LORA, lambda shapes: any(".lora_" in name or name.startswith("lora_") for name in shapes)),
    (Family.DIFFUSERS_UNET, _has("down_blocks.", "up_blocks.", "mid_block.")),
    (Family.VAE, _has("first_stage_model.decoder.")),
    (Family.VAE, _has("encoder.", "decoder.")),
    (Family.EMBEDDING, _has("emb_params")),
    (Family.EMBEDDING, _has("clip_l", "clip_g")),
)


def detect_family(shapes: Shapes) -> Family:
    """The family of a file that holds tensors of these names and shapes; UNKNOWN when no sign fits."""
    for family, fits in _SIGNS:
        if fits(shapes):
            return family
    return Family.UNKNOWN
