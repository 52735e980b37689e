"""Loopback: pictures drawn from each other."""

import re
from typing import Any

import numpy as np
import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.selectable_scripts import Loopback
from inference_container.models.checkpoint import Checkpoint
from inference_container.scripts.loopback import strength_at
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import opened, pixels, run

PICTURE = as_text(noisy(64, 64))


def test_every_loop_draws_from_the_picture_before_it_with_the_next_seed(checkpoint: Checkpoint) -> None:
    output = run(
        checkpoint,
        Task.IMG2IMG,
        init_images=[PICTURE],
        denoising_strength=0.5,
        script_name="Loopback",
        script_args=[2, 1, "Linear"],
    )
    second = run(checkpoint, Task.IMG2IMG, init_images=[as_text(opened(output, 1))], denoising_strength=1.0, seed=8)

    assert [opened(output, number).size for number in range(3)] == [(128, 64), (64, 64), (64, 64)]
    assert np.array_equal(pixels(output)[:, 64:], pixels(output, 2))
    assert np.array_equal(pixels(output, 2), pixels(second))
    assert [image.seed for image in output.images] == [None, 7, 8]
    written = [opened(output, number).info.get("parameters", "") for number in range(3)]
    assert [re.findall(r"Denoising strength: ([\d.]+), ", text) for text in written] == [[], ["0.5"], ["1.0"]]


def test_of_several_rounds_only_the_last_pictures_are_returned(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {"init_images": [PICTURE], "script_name": "Loopback", "script_args": [2], "n_iter": 2}

    output = run(checkpoint, Task.IMG2IMG, **body, override_settings={"return_grid": False})

    assert [image.seed for image in output.images] == [8, 10]


def test_what_the_first_loop_fills_the_second_keeps(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {
        "init_images": [PICTURE],
        "mask": as_text(rectangle(64, 64, (0, 0, 32, 64))),
        "inpaint_full_res": False,
    }
    script: dict[str, Any] = {
        "script_name": "Loopback",
        "script_args": [2, 0.75],
        "override_settings": {"return_grid": False},
    }

    output = run(checkpoint, Task.IMG2IMG, **body, **script)
    second = run(
        checkpoint,
        Task.IMG2IMG,
        **body | {"init_images": [as_text(opened(output))], "inpainting_fill": 1, "seed": 8},
    )

    assert np.array_equal(pixels(output, 1), pixels(second))


@pytest.mark.parametrize(
    ("curve", "strengths"),
    [
        ("Linear", [0.2, 0.5, 0.8]),
        ("Aggressive", [0.2, 0.6242640687, 0.8]),
        ("Lazy", [0.2, 0.3757359313, 0.8]),
    ],
)
def test_the_strength_follows_its_curve(curve: str, strengths: list[float]) -> None:
    params = Img2ImgParams(init_images=[PICTURE], denoising_strength=0.2)
    script = Loopback(loops=3, final_denoising_strength=0.8, denoising_curve=curve, append_interrogation="None")  # type: ignore[arg-type]

    assert [strength_at(script, params, loop) for loop in range(3)] == pytest.approx(strengths)
