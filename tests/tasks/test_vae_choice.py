"""`sd_vae`: which VAE a request is drawn with, from files as other tools write them."""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.txt2img import txt2img
from tests.tasks.running import SMALL, pixels
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state

PREFIX = "first_stage_model."
BIASES = ("encoder.conv_in.bias", "decoder.conv_in.bias")


def models() -> ModelCache:
    load = partial(load_checkpoint, device=torch.device("cpu"), dtype=torch.float32)
    return ModelCache(max_bytes=2**30, load=load)


def vae_state(*, prefix: str = "") -> dict[str, Tensor]:
    """The VAE of another training."""
    state = tiny_state(seed=5)
    return {prefix + name.removeprefix(PREFIX): one for name, one in state.items() if name.startswith(PREFIX)}


def vae_file(path: Path) -> ModelFile:
    return ModelFile(AssetType.VAE, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def other(tmp_path: Path) -> ModelFile:
    path = tmp_path / "other.safetensors"
    save_file(vae_state(), path)
    return vae_file(path)


def draw(checkpoint: Checkpoint, *files: ModelFile, sd_vae: str, cache: ModelCache | None = None) -> TaskOutput:
    settings = {**SMALL["override_settings"], "sd_vae": sd_vae}
    params = Txt2ImgParams(**{**SMALL, "override_settings": settings})
    job = TaskInput(params, checkpoint, lambda _: None, files=JobFiles(files), models=cache or models())
    return txt2img(job)


def test_another_vae_decodes_the_same_latents_to_another_picture(checkpoint: Checkpoint, other: ModelFile) -> None:
    mine = checkpoint.vae
    with Recording(checkpoint) as own:
        plain = draw(checkpoint, sd_vae="None")
    listened: list[Tensor] = []
    cache = models()
    draw(checkpoint, other, sd_vae="other", cache=cache)
    (held,) = (one.model for one in cache._held.values())
    handle = held.vae.post_quant_conv.register_forward_pre_hook(lambda _, args: listened.append(args[0]))  # type: ignore[attr-defined]

    changed = draw(checkpoint, other, sd_vae="other", cache=cache)

    handle.remove()
    assert torch.equal(torch.cat(listened) * 0.18215, torch.from_numpy(own.latents))
    assert (pixels(changed) != pixels(plain)).any()
    assert checkpoint.vae is mine
    assert (cache.hits, cache.misses) == (1, 1)


def test_a_checkpoint_without_a_vae_draws_with_the_one_that_is_chosen(
    checkpoint: Checkpoint, other: ModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "bare.safetensors"
    state = {name: one for name, one in tiny_state().items() if not name.startswith(PREFIX)}
    save_file(state, path, metadata={CONFIG_KEY: json.dumps(tiny_config())})
    file = ModelFile(AssetType.CHECKPOINT, path.name, path, "")
    bare = load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)

    drawn = draw(bare, other, sd_vae="other")
    with pytest.raises(JobFailed) as failed:
        draw(bare, sd_vae="None")

    assert (pixels(drawn) == pixels(draw(checkpoint, other, sd_vae="other"))).all()
    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert "bare.safetensors cannot be used: it has no VAE; choose one" in failed.value.error.message


def test_infotext_and_info_tell_the_vae(checkpoint: Checkpoint, other: ModelFile) -> None:
    output = draw(checkpoint, other, sd_vae="other.safetensors")

    assert f", VAE hash: {other.sha256[:10]}, VAE: other.safetensors," in output.images[0].infotext
    assert (output.info["sd_vae_name"], output.info["sd_vae_hash"]) == ("other.safetensors", other.sha256[:10])


def test_automatic_takes_the_vae_called_like_the_checkpoint_and_no_other(
    checkpoint: Checkpoint, other: ModelFile, tmp_path: Path
) -> None:
    beside = tmp_path / "TINY.vae.safetensors"
    save_file(vae_state(), beside)

    chosen = draw(checkpoint, other, vae_file(beside), sd_vae="Automatic")
    unrelated = draw(checkpoint, other, sd_vae="Automatic")
    refused = draw(checkpoint, vae_file(beside), sd_vae="None")

    assert chosen.info["sd_vae_name"] == "TINY.vae.safetensors"
    assert unrelated.info["sd_vae_name"] is refused.info["sd_vae_name"] is None


@pytest.mark.parametrize("prefix", ["", "vae.", PREFIX])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_names_may_have_a_prefix_and_training_leftovers_are_dropped(
    checkpoint: Checkpoint, other: ModelFile, tmp_path: Path, prefix: str, suffix: str
) -> None:
    path = tmp_path / f"prefixed.{suffix}"
    leftovers = {f"{prefix}loss.logvar": torch.ones(1), f"{prefix}model_ema.decay": torch.ones(1)}
    state = {**vae_state(prefix=prefix), **leftovers}
    if suffix == "pt":
        torch.save({"state_dict": state, "global_step": 3}, path)
    else:
        save_file(state, path)

    output = draw(checkpoint, vae_file(path), sd_vae="prefixed")

    assert (pixels(output) == pixels(draw(checkpoint, other, sd_vae="other"))).all()


def test_a_file_in_diffusers_layout_is_the_same_vae(checkpoint: Checkpoint, other: ModelFile, tmp_path: Path) -> None:
    cache, path = models(), tmp_path / "diffusers.safetensors"
    expected = draw(checkpoint, other, sd_vae="other", cache=cache)
    (held,) = (one.model for one in cache._held.values())
    save_file(held.vae.state_dict(), path)  # type: ignore[attr-defined]

    output = draw(checkpoint, vae_file(path), sd_vae="diffusers")

    assert (pixels(output) == pixels(expected)).all()


def test_a_configuration_in_the_header_says_the_scale_of_the_latents(
    checkpoint: Checkpoint, other: ModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "scaled.safetensors"
    packed = json.dumps({"vae/config.json": {"scaling_factor": 0.5}})
    save_file(vae_state(), path, metadata={"generate_on_cloud.config": packed})

    scaled = draw(checkpoint, vae_file(path), sd_vae="scaled")

    assert (pixels(scaled) != pixels(draw(checkpoint, other, sd_vae="other"))).any()


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        ({"emb_params": torch.ones(2, 4)}, JobErrorCode.ASSET_INCOMPATIBLE, "it holds a textual inversion embedding"),
        (
            {**{name: torch.ones(1) for name in BIASES}, "decoder.conv_in.weight": torch.ones(1)},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "its configuration requires",
        ),
    ],
)
def test_a_file_that_is_no_fitting_vae_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, state: dict[str, Any], code: JobErrorCode, reason: str
) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(state, path)

    with pytest.raises(JobFailed, match=reason) as failed:
        draw(checkpoint, vae_file(path), sd_vae="odd")

    assert failed.value.error.code is code
