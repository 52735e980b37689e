"""Soft inpainting from request body to pictures."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.task import TaskOutput
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import opened, pixels, run

INIT = noisy(64, 64)
SOFT: dict[str, Any] = {"alwayson_scripts": {"Soft inpainting": {"args": [True]}}}
HALF = rectangle(64, 64, (32, 0, 64, 64))


def draw(checkpoint: Checkpoint, *, image: Image.Image = INIT, mask: Image.Image = HALF, **body: Any) -> TaskOutput:
    defaults: dict[str, Any] = {"inpaint_full_res": False, "inpainting_fill": 1, "mask_blur": 8}
    return run(checkpoint, Task.IMG2IMG, init_images=[as_text(image)], mask=as_text(mask), **{**defaults, **body})


def test_its_settings_stand_in_the_infotext_before_those_of_the_mask(checkpoint: Checkpoint) -> None:
    output = draw(checkpoint, **SOFT)

    assert (
        "RNG: CPU, Soft inpainting enabled: True, Soft inpainting schedule bias: 1, Soft inpainting preservation "
        "strength: 0.5, Soft inpainting transition contrast boost: 4, Soft inpainting mask influence: 0, Soft "
        "inpainting difference threshold: 0.5, Soft inpainting difference contrast: 2, Mask blur: 8, Version"
    ) in output.images[0].infotext
    assert output.parameters["alwayson_scripts"] == SOFT["alwayson_scripts"]
    assert output.parameters["mask_round"] is True


def test_the_end_is_not_blended_hard_and_the_picture_differs(checkpoint: Checkpoint) -> None:
    with Recording(checkpoint) as soft:
        softly = draw(checkpoint, **SOFT)
    with Recording(checkpoint) as hard:
        plainly = draw(checkpoint)

    assert np.abs(soft.latents - hard.latents).max() > 0.01
    assert not np.array_equal(pixels(softly), pixels(plainly))


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M"])
def test_what_does_not_change_keeps_the_original_pixels(checkpoint: Checkpoint, sampler: str) -> None:
    output = draw(checkpoint, mask=Image.new("L", (64, 64)), sampler_name=sampler, **SOFT)

    assert np.array_equal(pixels(output), np.asarray(INIT))


def test_only_masked_pastes_every_picture_of_a_batch_under_its_own_overlay(checkpoint: Checkpoint) -> None:
    photo = noisy(160, 120, seed=3)
    box = rectangle(160, 120, (60, 40, 100, 80))
    body = {"inpaint_full_res": True, "inpaint_full_res_padding": 8, "mask_blur": 4, "denoising_strength": 1}

    output = draw(checkpoint, image=photo, mask=box, batch_size=2, n_iter=2, **body, **SOFT)
    alone = draw(checkpoint, image=photo, mask=box, seed=10, **body, **SOFT)

    assert [opened(output, n).size for n in range(4)] == [(160, 120)] * 4
    assert np.array_equal(pixels(output, 3)[:20], np.asarray(photo)[:20])
    assert not np.array_equal(pixels(output, 3)[45:75, 65:95], np.asarray(photo)[45:75, 65:95])
    assert np.abs(pixels(output, 3).astype(int) - pixels(alone)).max() <= 2


def test_the_mask_that_comes_back_is_the_soft_one(checkpoint: Checkpoint) -> None:
    options: dict[str, Any] = {"override_settings": {"return_mask": True}}

    soft, hard = draw(checkpoint, **SOFT, **options), draw(checkpoint, **options)

    assert not np.array_equal(pixels(soft, 1), pixels(hard, 1))


def test_without_a_mask_or_not_enabled_it_changes_nothing(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {"init_images": [as_text(INIT)]}
    off: dict[str, Any] = {"alwayson_scripts": {"Soft Inpainting": {"args": [False]}}}

    unmasked = [run(checkpoint, Task.IMG2IMG, **body, **more) for more in ({}, SOFT)]
    disabled = [draw(checkpoint, **more) for more in ({}, off)]

    assert unmasked[0].images[0].data == unmasked[1].images[0].data
    assert disabled[0].images[0].data == disabled[1].images[0].data


def test_txt2img_has_no_such_script() -> None:
    with pytest.raises(ValidationError, match="unknown scripts 'Soft inpainting'; allowed: ControlNet"):
        Txt2ImgParams.model_validate(SOFT)
