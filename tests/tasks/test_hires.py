"""Hires fix on a real if tiny model: sizes, upscalers, the second pass and its infotext."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS, PIXEL_UPSCALERS
from inference_container.drawing.hires import LATENT_MODES, enlarge, plan_hires, with_first_size
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.upscaling import FILTERS, upscale
from inference_container.task import TaskOutput
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import opened, pixels, run

HIRES: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.6}


def draw(checkpoint: Checkpoint, **body: Any) -> TaskOutput:
    return run(checkpoint, Task.TXT2IMG, **{**HIRES, "hr_scale": 1.5, **body})


def difference(one: TaskOutput, other: TaskOutput) -> int:
    return int(np.abs(pixels(one).astype(int) - pixels(other)).max())


@pytest.mark.parametrize(
    ("size", "asked", "enlarged", "crop"),
    [
        ((128, 128), {"hr_scale": 2}, (256, 256), (0, 0)),
        ((512, 768), {"hr_scale": 1.3}, (665, 998), (0, 0)),
        ((512, 768), {"hr_resize_x": 1000}, (1000, 1500), (0, 0)),
        ((512, 768), {"hr_resize_y": 1000}, (666, 1000), (0, 0)),
        ((512, 768), {"hr_resize_x": 1024, "hr_resize_y": 1024}, (1024, 1536), (0, 64)),
        ((768, 512), {"hr_resize_x": 1024, "hr_resize_y": 1024}, (1536, 1024), (64, 0)),
        ((512, 512), {"hr_resize_x": 1000, "hr_resize_y": 900, "hr_scale": 4}, (1000, 1000), (0, 12)),
    ],
)
def test_the_second_pass_has_webuis_size_and_cut(
    size: tuple[int, int], asked: dict[str, Any], enlarged: tuple[int, int], crop: tuple[int, int]
) -> None:
    plan = plan_hires(Txt2ImgParams(width=size[0], height=size[1], **HIRES, **asked), styles={})

    assert plan is not None
    assert ((plan.width, plan.height), plan.crop) == (enlarged, crop)


def test_a_cut_takes_the_smaller_half_from_the_beginning(checkpoint: Checkpoint) -> None:
    plan = plan_hires(Txt2ImgParams(width=64, height=64, hr_resize_x=128, hr_resize_y=104, **HIRES), styles={})
    assert plan is not None

    latents = enlarge(checkpoint, torch.arange(8.0)[None, None, :, None].expand(1, 4, 8, 8), plan)

    assert latents.shape == (1, 4, 13, 16)
    whole = torch.nn.functional.interpolate(torch.arange(8.0)[None, None], size=16, mode="linear")[0, 0]
    assert torch.allclose(latents[0, 0, :, 0], whole[1:14])


def test_without_enable_hr_there_is_no_second_pass(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.TXT2IMG, hr_scale=2, denoising_strength=0.5)

    assert opened(output).size == (64, 64)
    assert "Hires" not in output.images[0].infotext


def test_infotext_and_info_tell_of_it_as_webui_does(checkpoint: Checkpoint) -> None:
    output = draw(
        checkpoint,
        sampler_name="DPM++ 2M",
        hr_sampler_name="Euler",
        hr_scheduler="Exponential",
        hr_prompt="on",
        hr_second_pass_steps=3,
        hr_upscaler="Latent (nearest)",
        batch_size=2,
    )

    for image in output.images:
        assert ", Size: 64x64, " in image.infotext
        assert (
            "Denoising strength: 0.6, RNG: CPU, Hires sampler: Euler, Hires prompt: on, "
            "Hires schedule type: Exponential, Hires upscale: 1.5, Hires steps: 3, Hires upscaler: Latent (nearest), "
            "Version: " in image.infotext
        )
    assert opened(output).size == (96, 96)
    assert (output.info["width"], output.info["height"]) == (64, 64)
    assert output.info["extra_generation_params"] == {
        "Denoising strength": 0.6,
        "Hires sampler": "Euler",
        "Hires prompt": None,
        "Hires negative prompt": None,
        "Hires schedule type": "Exponential",
        "Hires upscale": 1.5,
        "Hires steps": 3,
        "Hires upscaler": "Latent (nearest)",
        "Schedule type": "Karras",
    }


def test_what_is_the_same_in_both_passes_is_told_once(checkpoint: Checkpoint) -> None:
    output = draw(
        checkpoint,
        sampler_name="DPM++ 2M",
        hr_sampler_name="Use same sampler",
        hr_scheduler="Use same scheduler",
        hr_checkpoint_name="Use same checkpoint",
        hr_prompt="the red cat",
        hr_resize_x=96,
    )

    assert output.images[0].infotext.partition("RNG: CPU, ")[2].startswith("Hires resize: 96x0, Version: ")


def test_each_pass_runs_all_its_steps_and_progress_counts_both(checkpoint: Checkpoint) -> None:
    reports: list[Progress] = []
    with Recording(checkpoint) as recording:
        draw(checkpoint, steps=3, hr_second_pass_steps=4, n_iter=2, report=reports.append)

    calls = len(recording.timesteps) // 2
    assert calls == 2 * (3 + 4)
    steps = [report.step for report in reports]
    assert steps == sorted(steps)
    assert (reports[-1].step, reports[-1].steps) == (14, 14)


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M Karras", "DPM++ SDE", "DPM adaptive", "DDIM", "UniPC"])
def test_at_strength_0_the_second_pass_takes_no_step(checkpoint: Checkpoint, sampler: str) -> None:
    reports: list[Progress] = []
    body: dict[str, Any] = {"hr_sampler_name": sampler, "hr_scale": 2, "hr_upscaler": "Latent (nearest)"}

    with Recording(checkpoint) as recording:
        draw(checkpoint, steps=2, denoising_strength=0, report=reports.append, **body)
    with Recording(checkpoint) as first:
        run(checkpoint, Task.TXT2IMG, sampler_name="Euler", steps=2)

    assert len(recording.levels) == 2
    doubled = first.latents.repeat(2, axis=2).repeat(2, axis=3)
    assert np.allclose(recording.decoded[-1], doubled[0], atol=1e-6)
    assert (reports[-1].step, reports[-1].steps) == (2, 2)


@pytest.mark.parametrize("strength", [0.3, 1])
def test_the_second_pass_starts_where_the_strength_says(checkpoint: Checkpoint, strength: float) -> None:
    with Recording(checkpoint) as recording:
        draw(checkpoint, steps=2, denoising_strength=strength)

    first_of_second = recording.timesteps[4]
    assert {0.3: 100 < first_of_second < 400, 1: first_of_second > 950}[strength]


def test_every_upscaler_has_its_own_way(checkpoint: Checkpoint) -> None:
    assert set(LATENT_MODES) == set(LATENT_UPSCALERS)
    body: dict[str, Any] = {"steps": 1, "denoising_strength": 0.05, "hr_scale": 1.7}

    drawn = {
        name: pixels(draw(checkpoint, hr_upscaler=name, **body)).tobytes()
        for name in (*LATENT_UPSCALERS, *PIXEL_UPSCALERS)
    }

    # Enlarging needs no antialiasing: those two pairs may agree.
    assert len(set(drawn.values())) >= len(drawn) - 2
    assert pixels(draw(checkpoint, **body)).tobytes() == drawn["Latent"]


def test_pixel_upscalers_stop_at_whole_eights_before_they_are_fitted() -> None:
    image = noisy(64, 40)

    nearest = upscale(image, FILTERS["Nearest"], width=109, height=68)

    by_hand = image.resize((109, 68), Image.Resampling.NEAREST).resize((104, 64), Image.Resampling.LANCZOS)
    assert nearest.tobytes() == by_hand.resize((109, 68), Image.Resampling.LANCZOS).tobytes()
    plain = image.resize((109, 68), Image.Resampling.LANCZOS)
    assert upscale(image, None, width=109, height=68).tobytes() == plain.tobytes()
    smaller = image.resize((32, 20), Image.Resampling.LANCZOS)
    assert upscale(image, FILTERS["Nearest"], width=32, height=20).tobytes() == smaller.tobytes()


def test_the_second_prompt_counts_its_time_from_one_to_two(checkpoint: Checkpoint) -> None:
    edited = draw(checkpoint, steps=4, denoising_strength=0.9, hr_prompt="[the red cat:on:1.0]")
    late = draw(checkpoint, steps=4, denoising_strength=0.9, hr_prompt="[the red cat:on:2.0]")
    plain = draw(checkpoint, steps=4, denoising_strength=0.9)

    assert difference(late, plain) == 0
    assert difference(edited, plain) > 0


def test_a_picture_may_take_the_place_of_the_first_pass(checkpoint: Checkpoint) -> None:
    picture = noisy(64, 64)
    with Recording(checkpoint) as recording:
        output = draw(checkpoint, firstpass_image=as_text(picture), steps=3, batch_size=2, seed=5)

    assert len(recording.timesteps) == 3 * 4
    assert [opened(output, number).size for number in range(2)] == [(96, 96)] * 2
    assert difference(output, draw(checkpoint, firstpass_image=as_text(noisy(64, 64, seed=1)), steps=3, seed=5)) > 0
    pixel = draw(checkpoint, firstpass_image=as_text(picture), steps=3, hr_upscaler="Lanczos", batch_size=2)
    assert len(pixel.images) == 2


def test_firstphase_sizes_are_those_of_the_first_pass(checkpoint: Checkpoint) -> None:
    output = draw(checkpoint, width=512, height=512, firstphase_width=64, firstphase_height=80)

    assert opened(output).size == (96, 120)
    assert ", Size: 64x80, " in output.images[0].infotext
    assert output.parameters["width"] == 512


def test_the_option_of_old_gives_the_size_of_the_result_and_finds_that_of_the_first_pass() -> None:
    body: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.5, "width": 1024, "height": 768, "hr_scale": 4}
    old = Txt2ImgParams(**body, override_settings={"use_old_hires_fix_width_height": True})
    first = with_first_size(old)

    assert (first.width, first.height, first.hr_resize_x, first.hr_resize_y) == (640, 448, 1024, 768)
    assert with_first_size(first) is first
    plan = plan_hires(first, styles={})
    assert plan is not None
    assert plan.drawn_size == (1024, 768)
    assert old.pixels_at_once() == 1097 * 768
    plain = Txt2ImgParams(width=1024, height=768, override_settings={"use_old_hires_fix_width_height": True})
    assert with_first_size(plain) is plain


@pytest.mark.parametrize("body", [{}, {"override_settings": {"inpainting_mask_weight": 0.5}}])
def test_an_inpainting_checkpoint_takes_part(inpainting: Checkpoint, body: dict[str, Any]) -> None:
    assert opened(draw(inpainting, steps=1, hr_resize_x=96, hr_resize_y=80, **body)).size == (96, 80)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"firstphase_width": 128}, "firstphase: received 128x0"),
    ],
)
def test_a_target_that_is_none_is_refused(checkpoint: Checkpoint, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(JobFailed, match=reason) as failed:
        draw(checkpoint, **change)

    assert failed.value.error.code is JobErrorCode.INVALID_PARAMS


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"enable_hr": True}, "enable_hr needs denoising_strength; received null"),
        (
            {**HIRES, "hr_scale": 4, "width": 8192},
            "hires fix: received a target of 32768x2048 pixels; allowed: 8 to 16384 ",
        ),
        ({**HIRES, "hr_resize_x": 4}, "hires fix: received a target of 4x4 pixels; allowed: 8 to 16384 a side"),
        ({**HIRES, "hr_upscaler": " "}, "unknown upscaler ' '; allowed: Latent, "),
        ({**HIRES, "hr_sampler_name": "Eular"}, "unknown sampler 'Eular'"),
        ({**HIRES, "hr_scheduler": "never"}, "unknown scheduler 'never'"),
    ],
)
def test_a_second_pass_that_cannot_be_is_refused_before_it_is_queued(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Txt2ImgParams(**body)
