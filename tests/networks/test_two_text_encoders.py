"""Networks and embeddings on a model with two text encoders, as Stable Diffusion XL has them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.prompt.text_models import Reading, TextKind, TextModel
from tests.networks.conftest import networks
from tests.networks.network_files import lora, lora_delta, model_file, numbers, write_network
from tests.tiny_checkpoint import tiny_vocabulary

WIDTHS = {TextKind.CLIP_L: 8, TextKind.CLIP_G: 12}
LAYER = "text_model_encoder_layers_0_mlp_fc1"


def text_encoder(kind: type[torch.nn.Module], width: int) -> Any:
    vocabulary = tiny_vocabulary()
    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=len(vocabulary),
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    return kind(config).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def two(checkpoint: Checkpoint) -> Checkpoint:
    """The tiny UNet with the two text encoders of another family."""
    first = text_encoder(CLIPTextModel, WIDTHS[TextKind.CLIP_L])
    second = text_encoder(CLIPTextModelWithProjection, WIDTHS[TextKind.CLIP_G])
    models = (
        TextModel(first, pad_token=0, kind=TextKind.CLIP_L),
        TextModel(second, pad_token=0, kind=TextKind.CLIP_G, reading=Reading(layer=2, normed=False, pooled=True)),
    )
    return replace(checkpoint, text_models=models, family=Family.SDXL)


def test_each_text_encoder_is_reached_by_its_own_prefix(two: Checkpoint, tmp_path: Path) -> None:
    weights = [
        two.text_models[0].encoder.encoder.layers[0].mlp.fc1.weight,
        two.text_models[1].encoder.text_model.encoder.layers[0].mlp.fc1.weight,
    ]
    before = [weight.detach().clone() for weight in weights]
    parts = [lora(weight.shape, seed=number) for number, weight in enumerate(weights)]
    kohya = write_network(
        tmp_path / "kohya.safetensors", {f"lora_te{number + 1}_{LAYER}": one for number, one in enumerate(parts)}
    )
    peft = write_network(
        tmp_path / "peft.safetensors",
        {
            f"text_encoder{suffix}.text_model.encoder.layers.0.mlp.fc1": {
                "lora_A.weight": one["lora_down.weight"],
                "lora_B.weight": one["lora_up.weight"],
                "alpha": one["alpha"],
            }
            for suffix, one in zip(("", "_2"), parts, strict=True)
        },
    )

    for name, file in (("kohya", kohya), ("peft", peft)):
        with networks(two, f"<lora:{name}:0.5:0>", file):
            for weight, old, one in zip(weights, before, parts, strict=True):
                torch.testing.assert_close(weight.detach(), old + 0.5 * lora_delta(one), rtol=1e-4, atol=1e-6)
    assert all(torch.equal(weight, old) for weight, old in zip(weights, before, strict=True))


def test_a_network_for_one_text_encoder_is_for_another_model(two: Checkpoint, tmp_path: Path) -> None:
    file = write_network(tmp_path / "old.safetensors", {f"lora_te_{LAYER}": lora(torch.Size((32, 8)))})

    with (
        pytest.raises(JobFailed, match=r"the checkpoint tiny\.safetensors is Stable Diffusion XL"),
        networks(two, "<lora:old>", file),
    ):
        pass


def test_a_pair_of_vectors_is_for_two_text_encoders_and_a_single_tensor_for_one(
    two: Checkpoint, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    pair = {"clip_l": numbers(2, WIDTHS[TextKind.CLIP_L]), "clip_g": numbers(2, WIDTHS[TextKind.CLIP_G], seed=1)}
    files = []
    for name, document in (("pair", pair), ("single", {"emb_params": numbers(2, 32)})):
        torch.save(document, tmp_path / f"{name}.pt")
        files.append(model_file(tmp_path / f"{name}.pt", AssetType.EMBEDDING))

    with networks(two, "", *files) as switch:
        (for_two,) = switch.inversions()
    with networks(checkpoint, "", *files) as switch:
        (for_one,) = switch.inversions()

    assert for_two.name == "pair"
    assert {kind: tuple(vectors.shape) for kind, vectors in for_two.vectors.items()} == {
        TextKind.CLIP_L: (2, 8),
        TextKind.CLIP_G: (2, 12),
    }
    assert for_one.name == "single"
