"""The refiner and the hires pass's own checkpoint: who answers which call, who decodes, and what infotext tells."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.txt2img import txt2img
from tests.networks.network_files import hypernetwork_file, linear_pair, lora, write_network
from tests.tasks.running import SMALL, pixels
from tests.tiny_checkpoint import write_tiny_checkpoint
from tests.tiny_families import write_family


def model_file(path: Path) -> ModelFile:
    return ModelFile(AssetType.CHECKPOINT, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFile]:
    folder = tmp_path_factory.mktemp("checkpoints")
    paths = [write_tiny_checkpoint(folder / f"{name}.safetensors", seed=seed) for seed, name in enumerate("ab")]
    paths += [
        write_family(folder / "xl.safetensors", Family.SDXL),
        write_family(folder / "refiner.safetensors", Family.SDXL_REFINER),
        write_family(folder / "two-inpaint.safetensors", Family.SD2_INPAINT),
    ]
    return {path.stem: model_file(path) for path in paths}


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(max_bytes=2**30, load=partial(load_checkpoint, device=torch.device("cpu"), dtype=torch.float32))


class Heard:
    """The order in which two checkpoints' UNets answer and VAEs decode."""

    def __init__(self, **checkpoints: Checkpoint) -> None:
        self.calls: list[str] = []
        self.decoded: list[str] = []
        self.inputs: list[dict[str, Any]] = []
        self._handles = []
        for name, checkpoint in checkpoints.items():
            hook = partial(self._hear, name)
            self._handles.append(checkpoint.unet.register_forward_pre_hook(hook, with_kwargs=True))
            decode = partial(self._hear_decoder, name)
            self._handles.append(checkpoint.vae.post_quant_conv.register_forward_pre_hook(decode))

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _hear(self, name: str, _module: Any, _args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        self.calls.append(name)
        self.inputs.append(kwargs)

    def _hear_decoder(self, name: str, *_: Any) -> None:
        self.decoded.append(name)


def draw(
    models: ModelCache, files: dict[str, ModelFile], first: str, second: str, **body: Any
) -> tuple[Heard, TaskOutput]:
    params = Txt2ImgParams(**{**SMALL, "steps": 10, "sampler_name": "Euler", **body})
    checkpoints = {name: models.checkpoint(files[name]) for name in (first, second)}
    heard = Heard(**checkpoints)
    job = TaskInput(params, checkpoints[first], lambda _: None, files=JobFiles(tuple(files.values())), models=models)
    try:
        return heard, txt2img(job)
    finally:
        heard.close()


@pytest.mark.parametrize(
    ("sampler", "switch_at", "first_calls"),
    # Euler's ten timesteps are 999, 888, 777 … 0: (999 - 888) / 1000 = 0.111 and so on.
    [
        ("Euler", 0.111, 1),
        ("Euler", 0.112, 2),
        ("Euler", 0.8, 8),
        ("Euler", 1.0, 10),
        ("Euler", None, 0),
        # DDIM's are 901, 801 …: the level is the timestep itself.
        ("DDIM", 0.198, 1),
        ("DDIM", 0.199, 2),
    ],
)
def test_the_refiner_answers_from_the_nearest_timestep_on(
    models: ModelCache, files: dict[str, ModelFile], sampler: str, switch_at: float | None, first_calls: int
) -> None:
    body = {"sampler_name": sampler, "scheduler": "Uniform"}

    heard, output = draw(models, files, "a", "b", refiner_checkpoint="b", refiner_switch_at=switch_at, **body)

    all_calls = 9 if sampler == "DDIM" else 10
    assert heard.calls == ["a"] * first_calls + ["b"] * (all_calls - first_calls)
    assert heard.decoded == ["b" if first_calls < all_calls else "a"]
    title = f"Refiner: b [{files['b'].sha256[:10]}]"
    assert (title in output.images[0].infotext) is (first_calls < all_calls)


@pytest.mark.parametrize(("sampler", "first_calls"), [("Euler", 3), ("Heun", 6), ("DDIM", 3)])
def test_the_refiner_can_take_over_at_a_fraction_of_the_steps(
    models: ModelCache, files: dict[str, ModelFile], sampler: str, first_calls: int
) -> None:
    body = {"sampler_name": sampler, "override_settings": {"refiner_switch_by_sample_steps": True}}

    heard, output = draw(models, files, "a", "b", refiner_checkpoint="b", refiner_switch_at=0.3, **body)

    assert heard.calls.index("b") == first_calls
    assert ", Refiner switch by sampling steps: True, Refiner: b [" in output.images[0].infotext


def test_every_batch_begins_with_the_first_checkpoint_again(models: ModelCache, files: dict[str, ModelFile]) -> None:
    heard, output = draw(models, files, "a", "b", refiner_checkpoint="b", refiner_switch_at=0.5, n_iter=2, steps=4)

    assert heard.calls == ["a", "a", "b", "b"] * 2
    assert ", Refiner switch at: 0.5" in output.images[1].infotext


def test_a_refiner_draws_without_the_prompts_networks(
    models: ModelCache, files: dict[str, ModelFile], tmp_path: Path
) -> None:
    layers = (("lora_unet_conv_in", (16, 4, 3, 3)), ("lora_te_text_model_encoder_layers_0_mlp_fc1", (128, 32)))
    network = write_network(tmp_path / "ink.safetensors", {one: lora(torch.Size(shape)) for one, shape in layers})
    bend = linear_pair(32, seed=1)
    hypernetwork = hypernetwork_file(tmp_path / "bend.pt", {32: (bend, bend)})
    known = {**files, "ink": network, "bend": hypernetwork}
    body = {"refiner_checkpoint": "b", "refiner_switch_at": None, "steps": 2}

    heard, with_networks = draw(models, known, "a", "b", prompt="red<lora:ink><hypernet:bend>", **body)
    without, plain = draw(models, known, "a", "b", prompt="red", **body)

    assert heard.calls == ["b", "b"]
    assert with_networks.images[0].infotext.count("Lora hashes") == 1
    assert torch.equal(heard.inputs[0]["encoder_hidden_states"], without.inputs[0]["encoder_hidden_states"])
    assert np.array_equal(pixels(with_networks), pixels(plain))


def test_xls_refiner_hears_its_own_words_and_scores(models: ModelCache, files: dict[str, ModelFile]) -> None:
    heard, _ = draw(models, files, "xl", "refiner", refiner_checkpoint="refiner", refiner_switch_at=0.5, steps=2)

    assert heard.calls == ["xl", "refiner"]
    assert [one["encoder_hidden_states"].shape[-1] for one in heard.inputs] == [80, 48]
    assert heard.inputs[1]["added_cond_kwargs"]["time_ids"].tolist() == [[64, 64, 0, 0, 6.0], [64, 64, 0, 0, 2.5]]


def test_a_refiner_that_is_the_checkpoint_itself_changes_nothing(
    models: ModelCache, files: dict[str, ModelFile]
) -> None:
    _, output = draw(models, files, "a", "b", refiner_checkpoint="a", refiner_switch_at=0.5, steps=2)

    assert "Refiner" not in output.images[0].infotext


def test_the_hires_pass_may_have_a_checkpoint_of_its_own(models: ModelCache, files: dict[str, ModelFile]) -> None:
    hires = {"enable_hr": True, "denoising_strength": 0.6, "hr_scale": 1.5, "hr_upscaler": "Nearest", "steps": 2}

    heard, output = draw(models, files, "a", "b", hr_checkpoint_name="b", refiner_checkpoint="a", **hires)

    assert heard.calls == ["a", "a", "a", "a"]
    assert heard.decoded == ["a", "a"]
    assert f"Hires checkpoint: b [{files['b'].sha256[:10]}]" in output.images[0].infotext


def test_without_a_refiner_the_hires_pass_is_drawn_and_decoded_by_its_own_checkpoint(
    models: ModelCache, files: dict[str, ModelFile]
) -> None:
    hires = {"enable_hr": True, "denoising_strength": 0.6, "hr_scale": 1.5, "hr_upscaler": "Nearest", "steps": 2}

    heard, _ = draw(models, files, "a", "b", hr_checkpoint_name="b", **hires)

    assert heard.calls == ["a", "a", "b", "b"]
    assert heard.decoded == ["a", "b"]


@pytest.mark.parametrize(
    ("passes", "calls", "noted"),
    [
        ("first pass", "abaa", "Hires refiner: first pass, Refiner: b ["),
        ("second pass", "aaab", "Refiner: b ["),
        ("both passes", "abab", "Hires refiner: both passes, Refiner: b ["),
    ],
)
def test_an_option_says_in_which_passes_of_hires_fix_the_refiner_takes_over(
    models: ModelCache, files: dict[str, ModelFile], passes: str, calls: str, noted: str
) -> None:
    hires = {"enable_hr": True, "denoising_strength": 1.0, "hr_scale": 1.5, "hr_upscaler": "Nearest", "steps": 2}
    refiner = {"refiner_checkpoint": "b", "refiner_switch_at": 0.4}

    heard, output = draw(
        models, files, "a", "b", **hires, **refiner, override_settings={"hires_fix_refiner_pass": passes}
    )

    assert "".join(heard.calls) == calls
    assert heard.decoded == [calls[1], calls[3]]
    assert noted in output.images[0].infotext
    assert output.images[0].infotext.count("Hires refiner") == noted.count("Hires refiner")


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("xl", "as Stable Diffusion XL it cannot continue the latents of a.safetensors"),
        ("two-inpaint", "takes 9 channels .Stable Diffusion 2.x inpainting., that of a.safetensors 4"),
    ],
)
def test_a_refiner_of_another_kind_is_refused_by_both_names(
    models: ModelCache, files: dict[str, ModelFile], second: str, reason: str
) -> None:
    with pytest.raises(JobFailed, match=reason) as failed:
        draw(models, files, "a", second, refiner_checkpoint=second, refiner_switch_at=0.5)

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


def test_a_refiner_the_job_came_without_is_missing(models: ModelCache, files: dict[str, ModelFile]) -> None:
    with pytest.raises(JobFailed, match="'ghost'") as failed:
        draw(models, files, "a", "b", refiner_checkpoint="ghost")

    assert failed.value.error.code is JobErrorCode.ASSET_MISSING
