"""What model files hold, in the words shown to users."""

from collections.abc import Mapping
from enum import StrEnum

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


class Family(StrEnum):
    """Families of models, and other things that files hold."""

    SD1 = "Stable Diffusion 1.x"
    SD1_INPAINT = "Stable Diffusion 1.x inpainting"
    INSTRUCT_PIX2PIX = "InstructPix2Pix"
    SD2 = "Stable Diffusion 2.x"
    SD2_INPAINT = "Stable Diffusion 2.x inpainting"
    SD2_OTHER = "Stable Diffusion 2.x for depth, upscaling or image variations"
    SDXL = "Stable Diffusion XL"
    SDXL_INPAINT = "Stable Diffusion XL inpainting"
    SDXL_EDIT = "Stable Diffusion XL for editing"
    SDXL_EDM = "Stable Diffusion XL trained on EDM's noise (CosXL, Playground 2.5)"
    SDXL_REFINER = "Stable Diffusion XL refiner"
    SD3 = "Stable Diffusion 3"
    FLUX = "Flux"
    CHROMA = "Chroma"
    Z_IMAGE = "Z-Image or Lumina"
    QWEN_IMAGE = "Qwen-Image"
    WAN = "Wan"
    HUNYUAN_VIDEO = "Hunyuan Video"
    HUNYUAN_DIT = "Hunyuan-DiT"
    HIDREAM = "HiDream"
    PIXART = "PixArt"
    AURA_FLOW = "AuraFlow"
    LTX_VIDEO = "LTX-Video"
    CASCADE = "Stable Cascade"
    TRANSFORMER = "a diffusion transformer"
    DIFFUSERS_UNET = "a UNet alone in diffusers' layout"
    LDM_UNET = "a Stable Diffusion UNet without a text encoder"
    VAE = "a VAE"
    LORA = "a LoRA"
    CONTROLNET = "a ControlNet"
    CONTROL_LORA = "a Control-LoRA"
    CONTROLNET_UNION = "a ControlNet union"
    CONTROLNET_LLLITE = "a ControlNet-LLLite"
    FOREIGN_CONTROLNET = "a ControlNet for a diffusion transformer (Flux, SD3, …)"
    T2I_ADAPTER = "a T2I-Adapter"
    IP_ADAPTER = "an IP-Adapter"
    MOTION = "a motion module of AnimateDiff"
    TINY_VAE = "a tiny VAE (TAESD)"
    FACE_RESTORATION = "a face restoration model, which needs a face detector that this version does not have"
    HOLE_FILLER = "a model that fills holes (LaMa), which this version does not run"
    EMBEDDING = "a textual inversion embedding"
    UNKNOWN = "no model this version knows"
