"""Which model a network was made for: its layers before their shapes, those before what its trainer says."""

from collections.abc import Mapping

import pytest

from generate_on_cloud.model_files.architectures import BASES, fits, misfit
from generate_on_cloud.model_files.family_names import Family, Shape
from generate_on_cloud.model_files.networks import read_network
from generate_on_cloud.model_files.refusals import RefusedFileError

WORDS = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
TEXT = "text_model_encoder_layers_0_self_attn_q_proj"
TEXT_PATH = "encoder.layers.0.self_attn.q_proj"
CONVOLVED: Mapping[str, Shape] = {"lora_down.weight": (4, 320, 1, 1), "lora_up.weight": (320, 4, 1, 1)}
PEFT: Mapping[str, Shape] = {"lora_A.default.weight": (4, 768), "lora_B.default.weight": (320, 4)}
LYCORIS: Mapping[str, Mapping[str, Shape]] = {
    "LoRA": {"lora_down.weight": (4, 768), "lora_up.weight": (320, 4)},
    "LoCon": {"lora_down.weight": (4, 768, 1, 1), "lora_up.weight": (320, 4, 1, 1)},
    "LoHa": {"hada_w1_a": (320, 4), "hada_w1_b": (4, 768), "hada_w2_a": (320, 4), "hada_w2_b": (4, 768)},
    "LoKr": {"lokr_w1": (8, 8), "lokr_w2_a": (40, 4), "lokr_w2_b": (4, 96)},
    "whole LoKr": {"lokr_w1": (8, 8), "lokr_w2": (40, 96)},
    "GLoRA": {"a1.weight": (4, 768), "a2.weight": (768, 4), "b1.weight": (4, 768), "b2.weight": (320, 4)},
    "full": {"diff": (320, 768)},
}


def made_for(layers: Mapping[str, Mapping[str, Shape]], said: Mapping[str, str] | None = None) -> Family | None:
    shapes = {f"{layer}.{part}": shape for layer, parts in layers.items() for part, shape in parts.items()}
    return read_network(shapes, said or {}).architecture


def lora(inputs: int) -> dict[str, Shape]:
    return {"lora_down.weight": (4, inputs), "lora_up.weight": (8, 4)}


@pytest.mark.parametrize("kind", LYCORIS)
def test_every_kind_shows_how_wide_the_words_are_it_attends_to(kind: str) -> None:
    assert made_for({WORDS: LYCORIS[kind]}) is Family.SD1


@pytest.mark.parametrize(
    ("layers", "family"),
    [
        ({WORDS: lora(1024)}, Family.SD2),
        ({WORDS: lora(2048)}, Family.SDXL),
        ({WORDS: lora(1280)}, Family.SDXL_REFINER),
        ({WORDS: lora(77)}, None),
        ({"unet.a.attn2.to_v": {"lora_A.weight": (4, 2048), "lora_B.weight": (8, 4)}}, Family.SDXL),
        ({f"lora_te2_{TEXT}": lora(1280)}, Family.SDXL),
        ({"text_encoder_2.a.mlp.fc1": {"lora_A.weight": (4, 1280), "lora_B.weight": (8, 4)}}, Family.SDXL),
        ({f"lora_te1_{TEXT}": lora(768)}, None),
        ({f"lora_te_{TEXT}": lora(768)}, Family.SD1),
        ({f"lora_te_{TEXT}": lora(1024)}, Family.SD2),
        ({f"lora_te_{TEXT}": lora(1280)}, Family.SDXL_REFINER),
        ({"lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_k": lora(1280)}, Family.SDXL),
        ({"lora_unet_middle_block_1_transformer_blocks_4_attn1_to_k": lora(1280)}, Family.SDXL),
        ({"lora_unet_down_blocks_2_attentions_1_transformer_blocks_4_ff_net_2": lora(640)}, Family.SDXL),
        ({"lora_unet_input_blocks_4_1_transformer_blocks_3_attn1_to_k": lora(768)}, Family.SDXL_REFINER),
        ({"lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_k": lora(640)}, Family.SDXL),
        ({"lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_attn1_to_k": lora(640)}, Family.SDXL),
        ({"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_k": lora(640)}, None),
        # Networks without cross-attention ("noxattn"): the outer transformer exists only outside XL.
        ({"lora_unet_down_blocks_0_attentions_0_proj_in": CONVOLVED}, Family.SD1),
        ({"lora_unet_output_blocks_11_1_proj_out": CONVOLVED}, Family.SD1),
        ({"lora_unet_up_blocks_3_attentions_2_proj_in": lora(320)}, Family.SD2),
        # `lora_te1_` alone shows nothing: kohya's XL, diffusers' Stable Diffusion 1.
        ({f"lora_te1_{TEXT}": lora(768), WORDS: lora(768)}, Family.SD1),
        ({f"lora_te1_{TEXT}": lora(768), "lora_unet_up_blocks_3_attentions_0_ff": lora(320)}, Family.SD1),
        ({f"lora_te1_{TEXT}": lora(768), "lora_unet_mid_block_attentions_0_proj_in": lora(1280)}, None),
        ({f"lora_te1_{TEXT}": lora(1024)}, Family.SD2),
        ({f"lora_te1_{TEXT}": lora(768), f"lora_te2_{TEXT}": lora(1280)}, Family.SDXL),
        ({f"text_encoder.text_model.{TEXT_PATH}": PEFT, "unet.x.attn2.to_k": {**PEFT}}, Family.SD1),
        ({"lora_unet_conv_in": {"diff": (320, 4, 3, 3)}}, None),
    ],
)
def test_layers_and_shapes_show_the_family(layers: Mapping[str, Mapping[str, Shape]], family: Family | None) -> None:
    assert made_for(layers) is family


@pytest.mark.parametrize(
    ("key", "value", "family"),
    [
        ("ss_base_model_version", "sd_v1", Family.SD1),
        ("ss_base_model_version", "sd_v2_v", Family.SD2),
        ("ss_base_model_version", "sdxl_base_v1-0", Family.SDXL),
        ("ss_base_model_version", "flux1", Family.FLUX),
        ("ss_base_model_version", "sd3m", Family.SD3),
        ("modelspec.architecture", "stable-diffusion-v1/lora", Family.SD1),
        ("modelspec.architecture", "stable-diffusion-xl-v1-base/lora", Family.SDXL),
        ("modelspec.architecture", "stable-diffusion-xl-v1-refiner/lora", Family.SDXL_REFINER),
        ("modelspec.architecture", "stable-diffusion-3-medium/lora", Family.SD3),
        ("modelspec.architecture", "another", None),
    ],
)
def test_where_no_layer_shows_it_the_trainer_says_and_nowhere_else(key: str, value: str, family: Family | None) -> None:
    assert made_for({"lora_unet_conv_in": {"diff": (320, 4, 3, 3)}}, {key: value}) is family
    assert made_for({WORDS: lora(1024)}, {key: value}) is Family.SD2


@pytest.mark.parametrize(
    ("layer", "family"),
    [
        ("lora_unet_double_blocks_0_img_attn_qkv", Family.FLUX),
        ("lora_unet_single_blocks_3_linear1", Family.FLUX),
        ("transformer.single_transformer_blocks.0.attn.to_k", Family.FLUX),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv", Family.SD3),
        ("diffusion_model.double_blocks.0.img_attn.proj", Family.FLUX),
        ("lora_unet_distilled_guidance_layer_layers_0_in_layer", Family.CHROMA),
        ("diffusion_model.layers.0.attention.to_q", Family.Z_IMAGE),
        ("lora_unet_layers_3_attention_qkv", Family.Z_IMAGE),
        ("diffusion_model.noise_refiner.0.attention.to_k", Family.Z_IMAGE),
        ("transformer.transformer_blocks.0.img_mlp.net.0.proj", Family.QWEN_IMAGE),
        ("diffusion_model.blocks.0.self_attn.q", Family.WAN),
        ("lora_unet_double_stream_blocks_0_block_attn1_to_q", Family.HIDREAM),
        ("transformer.transformer_blocks.0.attn1.to_q", Family.TRANSFORMER),
        ("lora_te3_encoder_block_0_layer_0_SelfAttention_q", Family.TRANSFORMER),
    ],
)
def test_a_network_whose_layers_no_checkpoint_here_has_is_refused_with_those_that_are_drawn_with(
    layer: str, family: Family
) -> None:
    with pytest.raises(RefusedFileError) as refused:
        made_for({layer: lora(3072), f"lora_te2_{TEXT}": lora(1280)}, {"ss_base_model_version": "sd_v1"})

    assert str(refused.value) == f"it is made for {family.value}; allowed: one for {', '.join(BASES)}"


@pytest.mark.parametrize(
    ("network", "checkpoint", "taken"),
    [
        (Family.SD1, Family.SD1, True),
        (Family.SD1, Family.SD1_INPAINT, True),
        (Family.SD1, Family.INSTRUCT_PIX2PIX, True),
        (Family.SD2, Family.SD2_INPAINT, True),
        (Family.SDXL, Family.SDXL_INPAINT, True),
        (Family.SDXL_REFINER, Family.SDXL_REFINER, True),
        (Family.SDXL, Family.SDXL_REFINER, False),
        (Family.SDXL_REFINER, Family.SDXL, False),
        (Family.SD1, Family.SD2, False),
        (Family.FLUX, Family.SD1, False),
    ],
)
def test_a_network_fits_the_checkpoints_that_have_its_layers(network: Family, checkpoint: Family, taken: bool) -> None:
    assert fits(network.value, checkpoint.value) is taken


def test_a_misfit_names_both() -> None:
    assert misfit(None, checkpoint="a.safetensors", drawn_with=Family.SD1) == (
        "it is made for an unknown model, the checkpoint a.safetensors is Stable Diffusion 1.x"
    )
