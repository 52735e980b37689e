"""The kind of model is told from tensor names and shapes alone."""

import pytest

from generate_on_cloud.model_files.families import CONV_IN, detect_family
from generate_on_cloud.model_files.family_names import Family
from tests.tiny_checkpoint import tiny_state

TEXT = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
CLIP_H = "cond_stage_model.model.ln_final.weight"
FIRST_OPEN = "conditioner.embedders.0.model.ln_final.weight"
FIRST_HF = "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight"
SECOND_HF = "conditioner.embedders.1.transformer.text_model.embeddings.token_embedding.weight"
SIZES = "model.diffusion_model.label_emb.0.0.weight"
ENTRANCE = "model.diffusion_model.input_blocks.1.1.proj_in.weight"
CLIP_G = "conditioner.embedders.1.model.ln_final.weight"


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({CONV_IN: (320, 4, 3, 3), TEXT: (49408, 768)}, Family.SD1),
        ({CONV_IN: (320, 9, 3, 3), TEXT: (49408, 768)}, Family.SD1_INPAINT),
        ({CONV_IN: (320, 8, 3, 3), TEXT: (49408, 768)}, Family.INSTRUCT_PIX2PIX),
        ({CONV_IN: (320, 4, 3, 3), CLIP_H: (1024,)}, Family.SD2),
        ({CONV_IN: (320, 9, 3, 3), CLIP_H: (1024,)}, Family.SD2_INPAINT),
        ({CONV_IN: (320, 5, 3, 3), CLIP_H: (1024,)}, Family.SD2_OTHER),
        ({CONV_IN: (320, 4, 3, 3), CLIP_H: (1024,), "embedder.model.ln_final.weight": (1,)}, Family.SD2_OTHER),
        ({CONV_IN: (320, 4, 3, 3), CLIP_G: (1280,)}, Family.SDXL),
        ({CONV_IN: (320, 9, 3, 3), CLIP_G: (1280,)}, Family.SDXL_INPAINT),
        ({CONV_IN: (320, 8, 3, 3), CLIP_G: (1280,)}, Family.SDXL_EDIT),
        ({CONV_IN: (320, 4, 3, 3), CLIP_G: (1280,), "edm_vpred.sigma_max": ()}, Family.SDXL_EDM),
        ({CONV_IN: (320, 4, 3, 3), CLIP_G: (1280,), "edm_mean": (1, 4, 1, 1)}, Family.SDXL_EDM),
        ({CONV_IN: (384, 4, 3, 3), FIRST_OPEN: (1280,), SIZES: (1536, 2560)}, Family.SDXL_REFINER),
        # Stable Diffusion 2.1 Turbo has the refiner's place of the text encoder, and no embedding of sizes.
        ({CONV_IN: (320, 4, 3, 3), FIRST_OPEN: (1024,)}, Family.SD2),
        ({CONV_IN: (320, 4, 3, 3), FIRST_HF: (49408, 768)}, Family.SD1),
        ({CONV_IN: (320, 4, 3, 3), TEXT: (49408, 1024), ENTRANCE: (320, 320)}, Family.SD2),
        ({CONV_IN: (320, 4, 3, 3), TEXT: (49408, 768), ENTRANCE: (320, 320, 1, 1)}, Family.SD1),
        ({CONV_IN: (320, 4, 3, 3), FIRST_HF: (49408, 768), SECOND_HF: (49408, 1280), SIZES: (1, 1)}, Family.SDXL),
        ({"distilled_guidance_layer.in_proj.weight": (1, 1), "double_blocks.0.a": (1,)}, Family.CHROMA),
        ({"cap_embedder.0.weight": (1,), "layers.0.attention.qkv.weight": (1, 1)}, Family.Z_IMAGE),
        ({"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": (1, 1)}, Family.SD3),
        ({"double_blocks.0.img_attn.qkv.weight": (1, 1)}, Family.FLUX),
        ({CONV_IN: (320, 4, 3, 3)}, Family.LDM_UNET),
        ({"lora_unet_down_blocks_0.lora_down.weight": (8, 320)}, Family.LORA),
        ({"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, Family.CONTROLNET),
        ({"encoder.conv_in.weight": (1,), "decoder.conv_in.weight": (1,)}, Family.VAE),
        ({"emb_params": (4, 768)}, Family.EMBEDDING),
        ({"weights": (1,)}, Family.UNKNOWN),
        ({}, Family.UNKNOWN),
    ],
)
def test_each_layout_is_recognised(shapes: dict[str, tuple[int, ...]], family: Family) -> None:
    assert detect_family(shapes) is family


def test_the_tiny_checkpoint_is_a_stable_diffusion_1() -> None:
    assert detect_family({name: tuple(tensor.shape) for name, tensor in tiny_state().items()}) is Family.SD1
