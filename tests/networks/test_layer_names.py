"""The names kohya's scripts give to the layers of Stable Diffusion XL all lead to a layer, and to the right one."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from inference_container.networks.layer_names import text_layers, unet_layers
from tests.tiny_checkpoint import tiny_config, tiny_state

SDXL = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280],
    "layers_per_block": 2,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def ldm_layers() -> Iterator[str]:
    """SDXL's linear layers and convolutions in LDM's names, written down from the model's own layout."""
    yield from ("time_embed.0", "time_embed.2", "label_emb.0.0", "label_emb.0.2", "input_blocks.0.0", "out.2")
    yield from ("input_blocks.3.0.op", "input_blocks.6.0.op", "output_blocks.2.2.conv", "output_blocks.5.2.conv")
    depths = {4: 2, 5: 2, 7: 10, 8: 10}
    for block in (1, 2, 4, 5, 7, 8):
        yield from residual(f"input_blocks.{block}.0", skip=block in (4, 7))
        yield from transformer(f"input_blocks.{block}.1", depths.get(block, 0))
    yield from (*residual("middle_block.0"), *transformer("middle_block.1", 10), *residual("middle_block.2"))
    for block in range(9):
        yield from residual(f"output_blocks.{block}.0", skip=True)
        yield from transformer(f"output_blocks.{block}.1", (10, 2, 0)[block // 3])


def residual(name: str, *, skip: bool = False) -> Iterator[str]:
    parts = ["in_layers.2", "emb_layers.1", "out_layers.3", *(["skip_connection"] if skip else [])]
    yield from (f"{name}.{part}" for part in parts)


def transformer(name: str, depth: int) -> Iterator[str]:
    yield from (f"{name}.{part}" for part in ("proj_in", "proj_out") if depth)
    for number in range(depth):
        for attention in ("attn1", "attn2"):
            yield from (
                f"{name}.transformer_blocks.{number}.{attention}.to_{part}" for part in ("q", "k", "v", "out.0")
            )
        yield from (f"{name}.transformer_blocks.{number}.ff.net.{part}" for part in ("0.proj", "2"))


@pytest.fixture(scope="module")
def sdxl() -> Any:
    with init_empty_weights():
        return UNet2DConditionModel.from_config(SDXL)


def test_each_linear_layer_and_convolution_of_sdxl_has_an_ldm_name_and_a_diffusers_name(sdxl: Any) -> None:
    layers = unet_layers(sdxl)
    wanted = {id(module) for module in sdxl.modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)}

    ldm = [layers["lora_unet_" + name.replace(".", "_")] for name in ldm_layers()]

    assert len(wanted) == 794
    assert len(ldm) == len(wanted)
    assert {id(module) for module in ldm} == wanted
    for path, module in sdxl.named_modules():
        if id(module) in wanted:
            assert layers["lora_unet_" + path.replace(".", "_")] is module


def test_ldm_names_lead_where_the_checkpoint_loader_puts_the_same_names() -> None:
    config = tiny_config()["unet/config.json"]
    state = {name: tensor for name, tensor in tiny_state().items() if name.startswith("model.diffusion_model.")}
    marked = {name: torch.full_like(tensor, number) for number, (name, tensor) in enumerate(state.items())}
    unet: Any = UNet2DConditionModel.from_config(config)
    unet.load_state_dict(convert_ldm_unet_checkpoint(dict(marked), config))

    layers = unet_layers(unet)

    for name, tensor in marked.items():
        layer, _, part = name.removeprefix("model.diffusion_model.").rpartition(".")
        assert torch.equal(getattr(layers["lora_unet_" + layer.replace(".", "_")], part), tensor), name


def test_the_second_text_encoder_has_its_own_prefix_and_its_projection() -> None:
    config = CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = CLIPTextModelWithProjection(config)

    layers = text_layers(model, ("lora_te2_",))

    assert layers["lora_te2_text_projection"] is model.text_projection
    assert layers["lora_te2_text_model_encoder_layers_0_self_attn_q_proj"].out_features == 8
    assert not [name for name in layers if not re.match(r"lora_te2_", name)]
