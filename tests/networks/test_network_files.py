"""Network files of every tool are read, and told apart from what is none."""

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.networks.network_file import load_network_file
from tests.networks.conftest import networks
from tests.networks.network_files import lora, lora_delta, model_file, numbers, write_network

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
LDM = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2"
COMFY = "input_blocks.1.1.transformer_blocks.0.attn2.to_k"
SPELLINGS = {
    "kohya": (f"lora_unet_{ATTENTION.replace('.', '_')}_to_k", "lora_down.weight", "lora_up.weight"),
    "kohya with LDM's names": (f"{LDM}_to_k", "lora_down.weight", "lora_up.weight"),
    "diffusers with PEFT": (f"unet.{ATTENTION}.to_k", "lora_A.weight", "lora_B.weight"),
    "diffusers before PEFT": (f"unet.{ATTENTION}.to_k", "lora.down.weight", "lora.up.weight"),
    "diffusers' first": (f"unet.{ATTENTION}.processor", "to_k_lora.down.weight", "to_k_lora.up.weight"),
    "PEFT alone": (f"base_model.model.{ATTENTION}.to_k", "lora_A.weight", "lora_B.weight"),
    "ComfyUI": (f"diffusion_model.{COMFY}", "lora_down.weight", "lora_up.weight"),
    "ComfyUI with the checkpoint's prefix": (f"model.diffusion_model.{COMFY}", "lora_down.weight", "lora_up.weight"),
    "LyCORIS' own trainer": (f"lycoris_{ATTENTION.replace('.', '_')}_to_k", "lora_down.weight", "lora_up.weight"),
    "LyCORIS with the UNet named": (
        f"lycoris_unet_{ATTENTION.replace('.', '_')}_to_k",
        "lora_down.weight",
        "lora_up.weight",
    ),
    "kohya's prefix before dots": (f"lora_unet.{ATTENTION}.to_k", "lora_down.weight", "lora_up.weight"),
    "matrices as parameters": (f"unet.{ATTENTION}.to_k", "lora_A", "lora_B"),
    "PEFT with an adapter": (
        f"base_model.model.unet.{ATTENTION}.to_k",
        "lora_A.default.weight",
        "lora_B.default.weight",
    ),
}
TEXT = "text_model.encoder.layers.0"
TEXT_SPELLINGS = {
    "kohya": (f"lora_te_{TEXT.replace('.', '_')}_mlp_fc1", "lora_down.weight", "lora_up.weight"),
    "kohya, first of two": (f"lora_te1_{TEXT.replace('.', '_')}_mlp_fc1", "lora_down.weight", "lora_up.weight"),
    "diffusers with PEFT": (f"text_encoder.{TEXT}.mlp.fc1", "lora_A.weight", "lora_B.weight"),
    "diffusers before PEFT": (
        f"text_encoder.{TEXT}.mlp.fc1",
        "lora_linear_layer.down.weight",
        "lora_linear_layer.up.weight",
    ),
    "ComfyUI": (f"text_encoders.clip_l.transformer.{TEXT}.mlp.fc1", "lora_down.weight", "lora_up.weight"),
    "ComfyUI without the level": (f"text_encoders.clip_l.{TEXT}.mlp.fc1", "lora_down.weight", "lora_up.weight"),
    "the first of numbered encoders": (f"text_encoder_1.{TEXT}.mlp.fc1", "lora_A.weight", "lora_B.weight"),
    "PEFT's first of numbered encoders": (
        f"base_model.model.text_encoder_1.{TEXT}.mlp.fc1",
        "lora_A.weight",
        "lora_B.weight",
    ),
    "kohya's prefix before dots": (f"lora_te1.{TEXT}.mlp.fc1", "lora_down.weight", "lora_up.weight"),
    "LyCORIS": (f"lycoris_te1_{TEXT.replace('.', '_')}_mlp_fc1", "lora_down.weight", "lora_up.weight"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_unet_layer_reaches_it(checkpoint: Checkpoint, tmp_path: Path, spelling: str) -> None:
    weight = checkpoint.unet.get_parameter(f"{ATTENTION}.to_k.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    layer, down, up = SPELLINGS[spelling]
    written = {down: parts["lora_down.weight"], up: parts["lora_up.weight"]}
    file = write_network(tmp_path / "net.safetensors", {layer: written})

    with networks(checkpoint, "<lora:net:1>", file):
        # without alpha, the scale is 1 and not alpha / rank = 1/2
        torch.testing.assert_close(weight.detach(), before + 2 * lora_delta(parts), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("spelling", TEXT_SPELLINGS)
def test_every_spelling_of_a_text_layer_reaches_it(checkpoint: Checkpoint, tmp_path: Path, spelling: str) -> None:
    weight = checkpoint.text_encoder.get_parameter("encoder.layers.0.mlp.fc1.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    layer, down, up = TEXT_SPELLINGS[spelling]
    written = {down: parts["lora_down.weight"], up: parts["lora_up.weight"]}
    file = write_network(tmp_path / "net.safetensors", {layer: written})

    with networks(checkpoint, "<lora:net:1:0>", file):
        torch.testing.assert_close(weight.detach(), before + 2 * lora_delta(parts), rtol=1e-4, atol=1e-6)


def test_old_attention_processors_and_magnitudes_of_diffusers_are_read(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{ATTENTION}.to_out.0.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    sides = {"to_out_lora.down.weight": parts["lora_down.weight"], "to_out_lora.up.weight": parts["lora_up.weight"]}
    old = write_network(tmp_path / "old.safetensors", {f"unet.{ATTENTION}.processor": sides})
    lengths = 1 + numbers(len(weight)).abs()
    dora = {
        "lora_A.weight": parts["lora_down.weight"],
        "lora_B.weight": parts["lora_up.weight"],
        "lora_magnitude_vector": lengths,
    }
    new = write_network(tmp_path / "new.safetensors", {f"unet.{ATTENTION}.to_out.0": dora})

    moved = before + 2 * lora_delta(parts)
    with networks(checkpoint, "<lora:old>", old):
        torch.testing.assert_close(weight.detach(), moved, rtol=1e-4, atol=1e-6)
    with networks(checkpoint, "<lora:new>", new):
        expected = moved / moved.norm(dim=1, keepdim=True) * lengths[:, None]
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_kohyas_oft_prefix_means_the_unet(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{ATTENTION}.to_k.weight")
    before = weight.detach().clone()
    layer = f"oft_unet_{ATTENTION.replace('.', '_')}_to_k"
    file = write_network(tmp_path / "turn.safetensors", {layer: {"oft_blocks": numbers(2, 8, 8)}})

    with networks(checkpoint, "<lora:turn>", file):
        torch.testing.assert_close(weight.norm(dim=0), before.norm(dim=0), rtol=1e-4, atol=1e-6)
        assert not torch.allclose(weight, before, atol=1e-2)


def test_a_pickled_lora_is_read_without_running_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{ATTENTION}.to_k.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    path = tmp_path / "old.pt"
    torch.save({f"{LDM}_to_k.{part}": tensor for part, tensor in parts.items()}, path)
    file = model_file(path)

    with networks(checkpoint, "<lora:old>", file) as switch:
        torch.testing.assert_close(weight.detach(), before + lora_delta(parts), rtol=1e-4, atol=1e-6)
    assert switch.infotext_extra() == {"Lora hashes": f"old: {file.sha256[:12]}"}


class Payload:
    """What a malicious pickle would do."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_lora_with_code_in_it_is_refused_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({**lora(torch.Size((2, 2))), "boom": Payload(tmp_path / "was-here")}, path)

    with pytest.raises(JobFailed, match="convert it to") as failed:
        load_network_file(model_file(path))

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        ({}, JobErrorCode.ASSET_INCOMPATIBLE, "it holds no network"),
        (
            {"emb_params": numbers(2, 4)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "it holds a textual inversion embedding, not a LoRA or one of its relatives",
        ),
        (
            {"lora_unet_conv_in.lora_up.weight": numbers(2, 2)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "its layer lora_unet_conv_in has lora_up.weight, which no network has; allowed: LoRA, LoHa, IA3, LoKr",
        ),
        (
            {"lora_unet_conv_in.diff": numbers(2, 2), "lora_unet_conv_in.alpha": numbers(2)},
            JobErrorCode.ASSET_CORRUPT,
            "the alpha of its layer lora_unet_conv_in is not a finite number",
        ),
        (
            {"lora_unet_conv_in.diff": numbers(2, 2), "lora_unet_conv_in.alpha": torch.tensor(float("nan"))},
            JobErrorCode.ASSET_CORRUPT,
            "the alpha of its layer lora_unet_conv_in is not a finite number",
        ),
        (
            {"bundle_emb.cat": numbers(2, 2)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "'bundle_emb.cat' is not of an embedding",
        ),
        (
            {"bundle_emb.cat.clip_l": numbers(1, 2, 2)},
            JobErrorCode.ASSET_CORRUPT,
            "has the shapes [[1, 2, 2]]; allowed: [vectors, width]",
        ),
    ],
)
def test_what_is_no_network_is_refused_with_the_reason(
    tmp_path: Path, state: dict[str, torch.Tensor], code: JobErrorCode, reason: str
) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(state, path)

    with pytest.raises(JobFailed) as failed:
        load_network_file(model_file(path))

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


@pytest.mark.parametrize(
    ("layers", "metadata", "origin"),
    [
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1": (8, 8)}, {}, "Stable Diffusion XL"),
        ({"lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k": (8, 2048)}, {}, "Stable Diffusion XL"),
        ({"lora_unet_x_attn2_to_v": (8, 1024)}, {}, "Stable Diffusion 2.x"),
        ({"lora_unet_x_attn2_to_v": (8, 768)}, {}, "Stable Diffusion 1.x"),
        ({"lora_unet_x_attn2_to_k": (8, 1280)}, {}, "Stable Diffusion XL refiner"),
        ({"lora_unet_x": (8, 8)}, {"ss_base_model_version": "sd3"}, "Stable Diffusion 3"),
        ({"lora_unet_x": (8, 8)}, {"ss_base_model_version": "flux1"}, "Flux"),
        (
            {"lora_unet_x": (8, 8)},
            {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
            "Stable Diffusion XL",
        ),
        ({"lora_unet_x": (8, 8)}, {}, "an unknown model"),
    ],
)
def test_a_network_for_another_architecture_is_refused_and_both_are_named(
    checkpoint: Checkpoint,
    tmp_path: Path,
    layers: dict[str, tuple[int, int]],
    metadata: dict[str, str],
    origin: str,
) -> None:
    written = {layer: lora(torch.Size(shape)) for layer, shape in layers.items()}
    file = write_network(tmp_path / "other.safetensors", written, metadata=metadata or None)

    with pytest.raises(JobFailed) as failed, networks(checkpoint, "<lora:other>", file):
        pass

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert failed.value.error.message == (
        f"other.safetensors cannot be used: it is made for {origin}, the checkpoint tiny.safetensors is "
        f"Stable Diffusion 1.x (which lacks 1 of its layers, such as {next(iter(layers))})"
    )


def test_the_hash_is_of_the_tensors_alone_or_the_one_training_wrote(tmp_path: Path) -> None:
    state = {"lora_unet_conv_in.diff": numbers(2, 2)}
    data = save(state)
    header = 8 + int.from_bytes(data[:8], "little")
    layers = {"lora_unet_conv_in": {"diff": numbers(2, 2)}}

    plain = load_network_file(write_network(tmp_path / "plain.safetensors", layers))
    noted = load_network_file(write_network(tmp_path / "noted.safetensors", layers, metadata={"note": "x"}))
    hashed = load_network_file(
        write_network(tmp_path / "h.safetensors", layers, metadata={"sshs_model_hash": "ab" * 32})
    )

    assert plain.hash == noted.hash == hashlib.sha256(data[header:]).hexdigest()[:12]
    assert hashed.hash == "abababababab"


def test_a_name_nobody_gave_is_refused_with_those_there_are(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = write_network(tmp_path / "there.safetensors", {"lora_unet_conv_in": {"diff": numbers(16, 4, 3, 3)}}).path

    with (
        pytest.raises(JobFailed, match=r"no lora called 'gone'; given: there\.safetensors") as failed,
        networks(checkpoint, "<lora:gone>", ModelFile(AssetType.LORA, path.name, path, "0" * 64)),
    ):
        pass

    assert failed.value.error.code is JobErrorCode.ASSET_MISSING
