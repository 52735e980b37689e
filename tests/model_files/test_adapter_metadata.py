"""A LoRA's scale from its header, where no layer says it: diffusers, SimpleTuner and PEFT."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from generate_on_cloud.model_files.networks import read_network
from generate_on_cloud.model_files.refusals import RefusedFileError

PATH = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
LAYER = f"lora_unet_{PATH.replace('.', '_')}"
TEXT = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
TEXT_LAYER = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"
RANK = 8
OF_PEFT = {f"unet.{PATH}.lora_A.weight": (RANK, 320), f"unet.{PATH}.lora_B.weight": (320, RANK)}
OF_KOHYA = {f"{LAYER}.lora_down.weight": (RANK, 320), f"{LAYER}.lora_up.weight": (320, RANK)}
BARE = {f"base_model.model.{PATH}.lora_A.weight": (RANK, 320), f"base_model.model.{PATH}.lora_B.weight": (320, RANK)}


def scale(
    document: object, shapes: Mapping[str, tuple[int, ...]] = OF_PEFT, key: str = "lora_adapter_metadata"
) -> float | None:
    return read_network(shapes, {key: json.dumps(document)}).scales.get(LAYER)


@pytest.mark.parametrize(
    ("document", "factor"),
    [
        ({"unet.r": 8, "unet.lora_alpha": 32}, 4.0),
        ({"unet": {"r": 8, "lora_alpha": 32}}, 4.0),
        ({"r": 8, "lora_alpha": 32}, 4.0),
        ({"unet.lora_alpha": 32, "unet.use_rslora": True}, 32 / math.sqrt(8)),
        ({"unet.lora_alpha": 32, "unet.r": 16, "unet.rank_pattern": {PATH: 8}}, 4.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {PATH: 16}}, 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_q": 16}}, 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {f"^{PATH}$": 16}}, 2.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"attn2.to_q": 16}}, 1.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": None}, 1.0),
        ({"text_encoder.lora_alpha": 32}, None),
        ({}, None),
    ],
)
def test_the_header_scales_the_layers_it_speaks_of(document: dict[str, Any], factor: float | None) -> None:
    assert scale(document) == (None if factor is None else pytest.approx(factor))


@pytest.mark.parametrize("shapes", [OF_PEFT, OF_KOHYA, BARE])
@pytest.mark.parametrize("key", ["lora_adapter_metadata", "adapter_config", "peft_config", "lora_config"])
def test_every_spelling_of_layers_and_key_is_read(shapes: Mapping[str, tuple[int, ...]], key: str) -> None:
    assert scale({"lora_alpha": 32, "alpha_pattern": {PATH: 16}}, shapes, key) == 2.0


def test_plain_entries_of_the_header_count_too() -> None:
    assert read_network(OF_PEFT, {"lora_alpha": "32", "use_rslora": "False"}).scales == {LAYER: 4.0}


def test_each_model_has_its_own_alpha() -> None:
    shapes = {**OF_PEFT, f"{TEXT}.lora_A.weight": (4, 768), f"{TEXT}.lora_B.weight": (768, 4)}
    said = {"unet.lora_alpha": 32, "text_encoder.lora_alpha": 2}
    network = read_network(shapes, {"lora_adapter_metadata": json.dumps(said)})
    assert network.scales == {LAYER: 4.0, TEXT_LAYER: 0.5}


@pytest.mark.parametrize("number", ["alpha", "scale"])
def test_a_number_of_the_layer_goes_before_the_header(number: str) -> None:
    assert scale({"lora_alpha": 32}, {**OF_KOHYA, f"{LAYER}.{number}": ()}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "its header's lora_adapter_metadata is not JSON"),
        ("[1]", "its header's lora_adapter_metadata is not a JSON object"),
        ('{"unet.lora_alpha": "x"}', "the lora_alpha in its header is not a finite number"),
        ('{"unet.lora_alpha": NaN}', "the lora_alpha in its header is not a finite number"),
        ('{"unet.alpha_pattern": [1]}', "its header's alpha_pattern is not a JSON object"),
        ('{"unet.alpha_pattern": {"(a+)+": 1}}', "its header scales layers by the pattern '(a+)+'"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(RefusedFileError) as refused:
        read_network(OF_PEFT, {"lora_adapter_metadata": text})

    assert words in str(refused.value)
