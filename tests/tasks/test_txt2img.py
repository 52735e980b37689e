"""txt2img from request body to files, on a real if tiny model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase, Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.drawing.results import SOFTWARE
from inference_container.models.checkpoint import Checkpoint
from inference_container.phase_clock import PhaseClock
from inference_container.task import TaskInput
from inference_container.tasks.txt2img import txt2img
from tests.tasks.conftest import load
from tests.tasks.running import SMALL, opened, pixels, run
from tests.tiny_checkpoint import CONFIG_KEY, tiny_config, tiny_state


def test_a_picture_of_the_asked_size_carries_its_infotext(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, negative_prompt="on")

    image = opened(output)
    assert image.size == (64, 64)
    assert image.info["parameters"] == output.images[0].infotext == output.info["infotexts"][0]
    assert output.images[0].infotext == (
        "the red cat\nNegative prompt: on\nSteps: 2, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, "
        f"Seed: 7, Size: 64x64, Model hash: {checkpoint.file.sha256[:10]}, Model: tiny, RNG: CPU, Version: {SOFTWARE}"
    )
    assert output.info["all_seeds"] == [7]
    assert output.parameters["prompt"] == "the red cat"
    assert output.parameters["cfg_scale"] == 7.0
    json.dumps({"info": output.info, "parameters": output.parameters})


def test_each_picture_depends_on_its_own_seed_alone(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {"sampler_name": "Euler a"}
    together = run(checkpoint, Task.TXT2IMG, batch_size=2, n_iter=2, **body)

    alone = [run(checkpoint, Task.TXT2IMG, seed=7 + number, **body) for number in range(4)]

    assert [image.seed for image in together.images] == [7, 8, 9, 10]
    for number, single in enumerate(alone):
        difference = np.abs(pixels(together, number).astype(int) - pixels(single))
        assert difference.max() <= 1
    assert not np.array_equal(pixels(together, 0), pixels(together, 1))


def test_the_same_request_gives_the_same_picture_again(checkpoint: Checkpoint) -> None:
    first = run(checkpoint, Task.TXT2IMG)
    run(checkpoint, Task.TXT2IMG, prompt="(cat:1.3) on", override_settings={"CLIP_stop_at_last_layers": 2})

    assert np.array_equal(pixels(run(checkpoint, Task.TXT2IMG)), pixels(first))


def test_a_random_seed_is_told_and_can_be_used_again(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, seed=-1)

    (seed,) = output.info["all_seeds"]
    assert 0 <= seed < 2**32
    assert np.array_equal(pixels(run(checkpoint, Task.TXT2IMG, seed=seed)), pixels(output))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "on"},
        {"negative_prompt": "cat"},
        {"cfg_scale": 3},
        {"seed": 8},
        {"steps": 3},
        {"sampler_name": "DPM++ 2M", "scheduler": "Karras"},
        {"subseed": 3, "subseed_strength": 0.5},
        {"seed_resize_from_w": 96, "seed_resize_from_h": 32},
        {"override_settings": {"CLIP_stop_at_last_layers": 2}},
        {"override_settings": {"randn_source": "NV"}},
    ],
)
def test_every_honoured_field_moves_the_picture(checkpoint: Checkpoint, change: dict[str, Any]) -> None:
    assert not np.array_equal(pixels(run(checkpoint, Task.TXT2IMG, **change)), pixels(run(checkpoint, Task.TXT2IMG)))


def test_variation_seeds_count_up_where_seeds_stay(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, subseed=3, subseed_strength=1, batch_size=2)

    assert output.info["all_seeds"] == [7, 7]
    assert output.info["all_subseeds"] == [3, 4]
    whole_variation = run(checkpoint, Task.TXT2IMG, seed=3)
    assert np.abs(pixels(output).astype(int) - pixels(whole_variation)).max() <= 1


def test_weights_and_emphasis_modes_are_told_apart(checkpoint: Checkpoint) -> None:
    plain = run(checkpoint, Task.TXT2IMG)
    weighted = run(checkpoint, Task.TXT2IMG, prompt="the (red cat:1.5)")
    ignored = run(checkpoint, Task.TXT2IMG, prompt="the (red cat:1.5)", override_settings={"emphasis": "Ignore"})

    assert not np.array_equal(pixels(weighted), pixels(plain))
    assert ", Emphasis: Ignore," in ignored.images[0].infotext


def test_comments_are_not_drawn(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, prompt="the red cat# on")

    assert np.array_equal(pixels(output), pixels(run(checkpoint, Task.TXT2IMG)))
    kept = run(checkpoint, Task.TXT2IMG, prompt="the red cat# on", override_settings={"enable_prompt_comments": False})
    assert not np.array_equal(pixels(kept), pixels(output))


def test_odd_sizes_end_at_whole_latent_cells(checkpoint: Checkpoint) -> None:
    assert opened(run(checkpoint, Task.TXT2IMG, width=100, height=72, steps=1)).size == (96, 72)


@pytest.mark.parametrize(("asked", "made"), [("png", "PNG"), ("jpg", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_pictures_come_in_the_asked_format(checkpoint: Checkpoint, asked: str, made: str) -> None:
    output = run(checkpoint, Task.TXT2IMG, steps=1, override_settings={"samples_format": asked, "jpeg_quality": 90})

    assert opened(output).size == (64, 64)
    assert output.images[0].format == made.lower()
    assert opened(output).format == made


def test_infotext_can_be_kept_out_of_the_file(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, steps=1, override_settings={"enable_pnginfo": False})

    assert "parameters" not in opened(output).info
    assert output.info["infotexts"][0].startswith("the red cat")


def test_progress_counts_all_model_calls_and_never_goes_back(checkpoint: Checkpoint) -> None:
    reports: list[Progress] = []
    clock = PhaseClock()

    with Recording(checkpoint) as recording:
        run(checkpoint, Task.TXT2IMG, report=reports.append, clock=clock, n_iter=2, sampler_name="Heun")

    steps = [report.step for report in reports]
    assert steps == sorted(steps)
    assert reports[-1].step == reports[-1].steps == len(recording.timesteps) // 2 == 6
    assert {report.phase for report in reports} == {
        JobPhase.ENCODING, JobPhase.SAMPLING, JobPhase.DECODING, JobPhase.SAVING,
    }  # fmt: skip
    assert set(clock.timings) == {"encoding", "sampling", "decoding", "saving", "total"}


def test_a_cancel_stops_at_the_next_step(checkpoint: Checkpoint) -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == 1:
            raise JobFailed(JobErrorCode.CANCELED, "canceled by the user")

    with Recording(checkpoint) as recording, pytest.raises(JobFailed, match="canceled by the user"):
        run(checkpoint, Task.TXT2IMG, report=cancel, steps=20)

    assert len(recording.timesteps) == 2


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"prompt": "<lora:x:1> cat"}, JobErrorCode.ASSET_MISSING, "received no lora called 'x'; given: none"),
        ({"prompt": "<hypernet:x> cat"}, JobErrorCode.ASSET_MISSING, "received no hypernetwork called 'x'"),
        ({"prompt": "<lora:x:much> cat"}, JobErrorCode.INVALID_PARAMS, "prompt: received 'much' as a weight"),
        ({"prompt": "(a:1.2.3)"}, JobErrorCode.INVALID_PARAMS, "prompt: "),
        (
            {"override_settings": {"CLIP_stop_at_last_layers": 3}},
            JobErrorCode.INVALID_PARAMS,
            "received clip skip 3; allowed: 1 to 2",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(
    checkpoint: Checkpoint, change: dict[str, Any], code: JobErrorCode, reason: str
) -> None:
    with pytest.raises(JobFailed) as failed:
        run(checkpoint, Task.TXT2IMG, **change)

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


def test_disabled_extra_networks_are_cut_out_of_the_words_only(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, prompt="the red cat<lora:x:1>", disable_extra_networks=True)

    assert np.array_equal(pixels(output), pixels(run(checkpoint, Task.TXT2IMG)))
    assert output.images[0].infotext.startswith("the red cat<lora:x:1>\n")


def test_a_model_that_answers_nan_fails_with_that_reason(tmp_path: Path) -> None:
    state = tiny_state()
    state["model.diffusion_model.out.2.bias"] += torch.nan
    save_file(state, tmp_path / "broken.safetensors", metadata={CONFIG_KEY: json.dumps(tiny_config())})

    with pytest.raises(JobFailed) as failed:
        run(load(tmp_path / "broken.safetensors"), Task.TXT2IMG)

    assert failed.value.error.code is JobErrorCode.NAN_LATENTS


def test_an_inpainting_checkpoint_draws_from_words_too(inpainting: Checkpoint) -> None:
    output = run(inpainting, Task.TXT2IMG)

    assert opened(output).size == (64, 64)
    assert output.info["is_using_inpainting_conditioning"] is True
    assert "Conditional mask weight: 1.0" in output.images[0].infotext


def test_the_wrong_params_are_our_own_fault(checkpoint: Checkpoint) -> None:
    with pytest.raises(TypeError, match="needs Txt2ImgParams and a model"):
        txt2img(TaskInput(Txt2ImgParams.model_validate(SMALL), None, lambda _: None))
