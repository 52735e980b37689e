"""ControlNet files: layouts, and what does not fit a checkpoint."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.family_names import Family
from inference_container.diffusion.control import Control, ControlPlan, UnetInputs
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.controlnet import ControlNetwork, controlnet_kind, load_controlnet
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from tests.tiny_checkpoint import tiny_state, write_tiny_checkpoint
from tests.tiny_controlnet import LAYERS, tiny_controlnet_state, write_tiny_controlnet
from tests.tiny_families import write_family


def file_at(path: Path, kind: AssetType) -> ModelFile:
    return ModelFile(kind, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = write_tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")
    return load_checkpoint(file_at(path, AssetType.CHECKPOINT), device=torch.device("cpu"), dtype=torch.float32)


def load(path: Path, checkpoint: Checkpoint) -> ControlNetwork:
    return load_controlnet(file_at(path, AssetType.CONTROLNET), checkpoint=checkpoint)


def tensors_of(loaded: ControlNetwork) -> dict[str, torch.Tensor]:
    return dict(loaded.network.state_dict())


def test_every_layout_gives_the_same_network(tmp_path: Path, checkpoint: Checkpoint) -> None:
    first = load(write_tiny_controlnet(tmp_path / "a.safetensors"), checkpoint)
    bare = load(write_tiny_controlnet(tmp_path / "bare.safetensors", prefix=""), checkpoint)
    pickled = load(write_tiny_controlnet(tmp_path / "pickled.pth"), checkpoint)
    save_file(tensors_of(first), tmp_path / "diffusers.safetensors")
    diffusers = load(tmp_path / "diffusers.safetensors", checkpoint)

    for other in (bare, pickled, diffusers):
        assert tensors_of(other).keys() == tensors_of(first).keys()
        assert all(torch.equal(tensor, tensors_of(other)[name]) for name, tensor in tensors_of(first).items())
    assert first.bytes == sum(tensor.numel() * 4 for tensor in tiny_controlnet_state().values())
    assert len(first.network.controlnet_down_blocks) + 1 == LAYERS


def test_a_controlnet_of_another_family_is_refused_and_both_are_named(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = write_tiny_controlnet(tmp_path / "control_sd21.safetensors", words=1024)

    with pytest.raises(JobFailed) as refused:
        load(path, checkpoint)

    assert refused.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert refused.value.error.message == (
        "control_sd21.safetensors cannot be used: it is made for Stable Diffusion 2.x, "
        "the checkpoint tiny.safetensors is Stable Diffusion 1.x (token widths 1024 and 32)"
    )


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (
            {"zero_convs.3.0.weight": torch.zeros(7, 7, 1, 1)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "needs \\[16, 16, 1, 1\\]",
        ),
        (
            {"zero_convs.12.0.weight": torch.zeros(4, 4, 1, 1)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "tensors, more than the",
        ),
        ({"input_hint_block.4.weight": None}, JobErrorCode.ASSET_CORRUPT, "lacks input_hint_block.4.weight"),
        ({"time_embed.0.bias": None}, JobErrorCode.ASSET_CORRUPT, "lacks time_embedding.linear_1.bias"),
        ({"input_hint_block.0.weight": None}, JobErrorCode.ASSET_INCOMPATIBLE, "not a ControlNet"),
        ({"lora_controlnet": torch.zeros(1)}, JobErrorCode.ASSET_INCOMPATIBLE, "Control-LoRA"),
    ],
)
def test_tensors_that_do_not_fit_the_checkpoint_are_refused(
    tmp_path: Path, checkpoint: Checkpoint, change: dict[str, torch.Tensor | None], code: JobErrorCode, reason: str
) -> None:
    changed = tiny_controlnet_state() | change
    save_file({name: tensor for name, tensor in changed.items() if tensor is not None}, tmp_path / "odd.safetensors")

    with pytest.raises(JobFailed, match=reason) as refused:
        load(tmp_path / "odd.safetensors", checkpoint)

    assert refused.value.error.code is code


def test_a_file_is_loaded_anew_for_a_unet_of_another_shape(checkpoint: Checkpoint, tmp_path: Path) -> None:
    file = file_at(write_tiny_controlnet(tmp_path / "a.safetensors"), AssetType.CONTROLNET)
    before = controlnet_kind(file, checkpoint)
    heads = checkpoint.unet.config.attention_head_dim

    try:
        checkpoint.unet.register_to_config(attention_head_dim=heads * 2)
        other = controlnet_kind(file, checkpoint)
    finally:
        checkpoint.unet.register_to_config(attention_head_dim=heads)

    assert other != before
    assert controlnet_kind(file, checkpoint) == before


def test_a_controlnet_of_sdxl_reads_sizes_and_pooled_texts(tmp_path: Path, checkpoint: Checkpoint) -> None:
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32, 32),
        layers_per_block=2,
        norm_num_groups=8,
        transformer_layers_per_block=(1, 2, 2),
        attention_head_dim=(2, 4, 4),
        cross_attention_dim=24,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 16,
    ).eval()
    sdxl = replace(checkpoint, unet=unet, family=Family.SDXL)
    made = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 12))
    state = {name: torch.randn_like(tensor) / 10 for name, tensor in made.state_dict().items()}
    save_file(state, tmp_path / "xl.safetensors")

    loaded = load(tmp_path / "xl.safetensors", sdxl)

    added = {"text_embeds": torch.randn(2, 16), "time_ids": torch.ones(2, 6)}
    given = UnetInputs(torch.randn(2, 4, 8, 8), torch.tensor([9, 9]), torch.randn(2, 77, 24), added, (True, False))
    control = Control(network=loaded.network, hint=torch.rand(1, 3, 64, 64))
    with torch.inference_mode():
        residuals = ControlPlan((control,), 4).residuals(0, given)
        drawn, plain = (
            unet(given.x, 9, encoder_hidden_states=given.tokens, added_cond_kwargs=added, **extra).sample
            for extra in (residuals, {})
        )
    assert len(residuals["down_block_additional_residuals"]) == 9
    assert not torch.allclose(drawn, plain)


@pytest.mark.parametrize("mark", ["difference", "control_model.difference"])
def test_to_a_difference_the_checkpoints_weights_are_added(tmp_path: Path, checkpoint: Checkpoint, mark: str) -> None:
    whole, unet = tiny_controlnet_state(), tiny_state()
    shared = {name: unet[f"model.diffusion_model.{name}"] for name in whole if f"model.diffusion_model.{name}" in unet}
    stored = {f"control_model.{name}": one - shared.get(name, 0) for name, one in whole.items()}
    save_file({**stored, mark: torch.tensor(1.0)}, tmp_path / "diff.safetensors")

    added = load(tmp_path / "diff.safetensors", checkpoint)
    plain = load(write_tiny_controlnet(tmp_path / "a.safetensors"), checkpoint)

    assert shared
    for name, tensor in tensors_of(plain).items():
        torch.testing.assert_close(tensors_of(added)[name], tensor, rtol=1e-4, atol=1e-5)
    other = replace(checkpoint, file=replace(checkpoint.file, sha256="f" * 64))
    for path, differs in (("diff.safetensors", True), ("a.safetensors", False)):
        file = file_at(tmp_path / path, AssetType.CONTROLNET)
        assert (controlnet_kind(file, other) != controlnet_kind(file, checkpoint)) is differs


@pytest.mark.parametrize("prefix", ["", "control_model."])
@pytest.mark.parametrize(
    "depths",
    [
        {"transformer_layers_per_block": 1},
        {"transformer_layers_per_block": [1, 1, 2]},
        {"down_block_types": ("DownBlock2D",) * 3, "transformer_layers_per_block": [1, 1, 1]},
        {"down_block_types": ("DownBlock2D",) * 3, "mid_block_type": "UNetMidBlock2D"},
    ],
)
def test_a_controlnet_may_be_less_deep_than_the_unet(tmp_path: Path, depths: dict[str, Any], prefix: str) -> None:
    path = write_family(tmp_path / "tinyxl.safetensors", Family.SDXL)
    xl = load_checkpoint(file_at(path, AssetType.CHECKPOINT), device=torch.device("cpu"), dtype=torch.float32)
    unet = UNet2DConditionModel.from_config(dict(xl.unet.config))
    wide = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 8))
    config = {name: value for name, value in dict(wide.config).items() if not name.startswith("_")}
    state = {name: one.contiguous() for name, one in ControlNetModel(**config | depths).state_dict().items()}
    save_file({prefix + name: one for name, one in state.items()}, tmp_path / "mid.safetensors")

    loaded = tensors_of(load(tmp_path / "mid.safetensors", xl))

    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
