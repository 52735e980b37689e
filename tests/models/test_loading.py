"""A single-file checkpoint becomes diffusers modules with every tensor in its place, or fails with the true reason."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.devices import choose_device, choose_dtype, vae_dtype
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_config import CONFIG_FOLDERS, config_files, model_config
from inference_container.models.text_encoders import TEXT_ENCODERS
from tests.models.conftest import model_file
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state

CPU = torch.device("cpu")


def saved(path: Path, state: dict[str, Tensor], config: dict[str, Any] | str | None = None) -> ModelFile:
    packed = config if isinstance(config, str) else json.dumps(config or tiny_config())
    save_file(state, path, metadata={CONFIG_KEY: packed})
    return model_file(path)


def load(file: ModelFile) -> Checkpoint:
    return load_checkpoint(file, device=CPU, dtype=torch.float32)


def refusal(file: ModelFile) -> tuple[JobErrorCode, str]:
    with pytest.raises(JobFailed) as failed:
        load(file)
    return failed.value.error.code, failed.value.error.message


def test_all_tensors_of_the_file_arrive_in_the_modules(tiny_file: ModelFile) -> None:
    checkpoint = load(tiny_file)
    state = tiny_state()

    unet, vae = checkpoint.unet.state_dict(), checkpoint.vae.state_dict()
    assert torch.equal(unet["conv_in.weight"], state["model.diffusion_model.input_blocks.0.0.weight"])
    assert torch.equal(
        unet["up_blocks.1.attentions.2.transformer_blocks.0.attn2.to_v.weight"],
        state["model.diffusion_model.output_blocks.5.1.transformer_blocks.0.attn2.to_v.weight"],
    )
    assert torch.equal(
        vae["decoder.up_blocks.3.resnets.0.conv_shortcut.weight"],
        state["first_stage_model.decoder.up.0.block.0.nin_shortcut.weight"],
    )
    assert torch.equal(
        checkpoint.text_encoder.state_dict()["final_layer_norm.bias"],
        state["cond_stage_model.transformer.text_model.final_layer_norm.bias"],
    )
    assert checkpoint.bytes >= sum(tensor.numel() * 4 for tensor in state.values())
    assert not any(tensor.is_meta for module in (unet, vae) for tensor in module.values())


def test_a_loaded_model_draws_finite_numbers(tiny_file: ModelFile) -> None:
    checkpoint = load(tiny_file)
    ids = checkpoint.tokenizer("the red cat", padding="max_length", max_length=77).input_ids

    with torch.inference_mode():
        words = checkpoint.text_encoder(torch.tensor([ids])).last_hidden_state
        noise = checkpoint.unet(torch.ones(1, 4, 8, 8), 500.0, words).sample
        picture = checkpoint.vae.decode(noise).sample

    assert picture.shape == (1, 3, 64, 64)
    assert bool(picture.isfinite().all())
    assert 0.1 < picture.std() < 10


def test_noise_levels_are_the_ones_stable_diffusion_was_trained_on(tiny_file: ModelFile) -> None:
    alphas = load(tiny_file).alphas_cumprod.double()
    sigmas = ((1 - alphas) / alphas).sqrt()

    assert sigmas[0].item() == pytest.approx(0.029168, abs=1e-6)
    assert sigmas[-1].item() == pytest.approx(14.614642, rel=1e-6)


def test_the_noise_levels_stored_in_the_file_win(tmp_path: Path) -> None:
    stored = torch.linspace(0.9, 0.1, 1000)

    checkpoint = load(saved(tmp_path / "a.safetensors", {**tiny_state(), "alphas_cumprod": stored}))

    assert torch.equal(checkpoint.alphas_cumprod, stored)


def test_noise_levels_that_are_none_are_corrupt(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.safetensors", {**tiny_state(), "alphas_cumprod": torch.ones(1000)})

    assert refusal(file) == (
        JobErrorCode.ASSET_CORRUPT,
        "a.safetensors cannot be read: its alphas_cumprod is not a list of 1000 numbers decreasing from 1 to 0",
    )


def test_half_precision_files_load_at_the_asked_precision(tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in tiny_state().items()}

    checkpoint = load_checkpoint(saved(tmp_path / "half.safetensors", state), device=CPU, dtype=torch.bfloat16)

    assert checkpoint.unet.dtype is torch.bfloat16
    assert checkpoint.text_encoder.dtype is torch.bfloat16
    assert checkpoint.vae.dtype is torch.float32


def test_the_oldest_text_encoder_names_load_too(tmp_path: Path, tiny_file: ModelFile) -> None:
    state = {name.replace(".text_model.", "."): tensor for name, tensor in tiny_state().items()}
    state["cond_stage_model.transformer.embeddings.position_ids"] = torch.arange(77)[None]

    old, new = load(saved(tmp_path / "old.safetensors", state)), load(tiny_file)

    assert torch.equal(
        old.text_encoder.state_dict()["embeddings.token_embedding.weight"],
        new.text_encoder.state_dict()["embeddings.token_embedding.weight"],
    )


def test_weights_no_inference_needs_are_ignored(tmp_path: Path) -> None:
    extra = {"model_ema.decay": torch.ones(1), "first_stage_model.loss.logvar": torch.ones(1), "betas": torch.ones(9)}

    assert load(saved(tmp_path / "a.safetensors", {**tiny_state(), **extra})).family is Family.SD1


def test_a_ckpt_of_the_standard_layout_goes_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ckpt"
    torch.save({"state_dict": tiny_state()}, path)

    code, message = refusal(model_file(path))

    # A pickle cannot carry a config, so these sizes meet the shipped one of Stable Diffusion 1.5.
    assert code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "its configuration requires" in message


def test_a_nine_channel_unet_is_an_inpainting_checkpoint(tmp_path: Path) -> None:
    state = tiny_state(in_channels=9)

    checkpoint = load(saved(tmp_path / "inpaint.safetensors", state, tiny_config(in_channels=9)))

    assert checkpoint.family is Family.SD1_INPAINT
    assert checkpoint.inpainting


def test_another_family_is_refused_by_its_name(tmp_path: Path) -> None:
    file = saved(tmp_path / "flux.safetensors", {"double_blocks.0.img_attn.qkv.weight": torch.zeros(1)})

    code, message = refusal(file)

    assert code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "flux.safetensors cannot be used: it holds Flux" in message
    assert "Stable Diffusion 1.x" in message


@pytest.mark.parametrize(
    ("lost", "code", "reason"),
    [
        ("model.diffusion_model.out.2.bias", JobErrorCode.ASSET_CORRUPT, "its UNet lacks conv_out.bias"),
        ("first_stage_model.quant_conv.bias", JobErrorCode.ASSET_CORRUPT, "its VAE lacks quant_conv.bias"),
        (
            "cond_stage_model.transformer.text_model.final_layer_norm",
            JobErrorCode.ASSET_CORRUPT,
            "its text encoder lacks final_layer_norm.bias and 1 more tensors",
        ),
    ],
)
def test_a_file_that_lacks_tensors_says_which(tmp_path: Path, lost: str, code: JobErrorCode, reason: str) -> None:
    state = {name: tensor for name, tensor in tiny_state().items() if not name.startswith(lost)}

    received, message = refusal(saved(tmp_path / "a.safetensors", state))

    assert received is code
    assert reason in message


def test_tensors_of_another_size_than_the_configuration_are_named(tmp_path: Path) -> None:
    config = tiny_config()
    config["unet/config.json"]["cross_attention_dim"] = 40

    code, message = refusal(saved(tmp_path / "a.safetensors", tiny_state(), config))

    assert code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "of shape [16, 32]; its configuration requires [16, 40]" in message


def test_a_deeper_model_than_its_configuration_is_refused(tmp_path: Path) -> None:
    config = tiny_config()
    config["text_encoder/config.json"]["num_hidden_layers"] = 1

    code, message = refusal(saved(tmp_path / "a.safetensors", tiny_state(), config))

    assert code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "encoder.layers.1.layer_norm1.bias and 15 more tensors, unknown to its configuration" in message


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({"../../etc/passwd": "x"}, "holds '../../etc/passwd'; allowed: scheduler/scheduler_config.json"),
        ({"unet/config.json": "{"}, "the unet/config.json packed in it is not JSON"),
        ({"unet/config.json": {"layers_per_block": 10**9}}, "layers_per_block = 1000000000"),
        ({"unet/config.json": {"block_out_channels": "x"}}, "the configuration of its UNet is not valid"),
        (
            {"scheduler/scheduler_config.json": {"prediction_type": "sample"}},
            "prediction_type of its SchedulerConfig is not valid",
        ),
        ({**tiny_config(), "tokenizer/vocab.json": "{"}, "the tokenizer/vocab.json packed in it is not JSON"),
        ({**tiny_config(), "tokenizer/vocab.json": {"a": "b"}}, "vocabulary.a of its TokenizerConfig is not valid"),
        ({**tiny_config(), "tokenizer/merges.txt": "zebra crossing"}, "vocabulary lacks 'zebra crossing'"),
        ({**tiny_config(), "tokenizer/merges.txt": "a b c"}, "merges.0 of its TokenizerConfig is not valid"),
        ({**tiny_config(), "tokenizer/tokenizer_config.json": {"pad_token": "<p>"}}, "vocabulary lacks '<p>'"),
        ({**tiny_config(), "tokenizer/tokenizer_config.json": {"bos_token": "<s>"}}, "vocabulary lacks '<s>'"),
        ({"scheduler/scheduler_config.json": {"beta_end": "x"}}, "beta_end of its SchedulerConfig is not valid"),
    ],
)
def test_a_malformed_packed_configuration_is_refused(tmp_path: Path, config: dict[str, Any] | str, reason: str) -> None:
    code, message = refusal(saved(tmp_path / "a.safetensors", tiny_state(), config))

    assert code is JobErrorCode.ASSET_INCOMPATIBLE
    assert reason in message


def test_the_shipped_configuration_is_stable_diffusion_1_5(tiny_file: ModelFile) -> None:
    config = model_config(tiny_file, family=Family.SD1, packed=None)

    assert config.unet["block_out_channels"] == [320, 640, 1280, 1280]
    assert config.text_encoders["text_encoder"]["hidden_size"] == 768
    assert len(config.tokenizer.vocabulary) == 49408
    assert model_config(tiny_file, family=Family.SD1_INPAINT, packed=None).unet["in_channels"] == 9


@pytest.mark.parametrize("family", CONFIG_FOLDERS)
def test_every_family_is_shipped_with_a_whole_configuration(tiny_file: ModelFile, family: Family) -> None:
    config = model_config(tiny_file, family=family, packed=None)

    assert {"unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"} < set(config_files(family))
    assert set(config.text_encoders) == {row.folder for row in TEXT_ENCODERS[family]}
    assert set(config.pad_tokens) == {row.tokenizer for row in TEXT_ENCODERS[family]}


def test_a_cpu_runs_float32_and_never_float16() -> None:
    assert choose_dtype("auto", CPU) is torch.float32
    assert choose_dtype("bfloat16", CPU) is torch.bfloat16
    assert choose_dtype("auto", torch.device("cuda")) is torch.float16
    assert vae_dtype(torch.device("cuda"), torch.float16) is torch.float16
    with pytest.raises(ValueError, match="DTYPE is float16"):
        choose_dtype("float16", CPU)


def test_a_gpu_that_is_not_there_is_said_so() -> None:
    assert choose_device("cpu") == CPU
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            choose_device("cuda")
