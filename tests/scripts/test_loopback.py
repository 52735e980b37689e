"""Loopback: pictures drawn from each other."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Img2ImgParams
from generate_on_cloud.contract.selectable_scripts import Loopback
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.scripts.loopback import strength_at
from inference_container.task import TaskInput, load_nothing
from inference_container.tasks import TASKS
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import opened, pixels, run
from tests.tiny_interrogation import write_deepdanbooru, write_interrogator_zip

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


@pytest.mark.parametrize(("interrogation", "kind"), [("CLIP", "interrogator"), ("DeepBooru", "tagger")])
@pytest.mark.parametrize("prompt", ["the red cat", ""])
def test_the_words_for_each_picture_follow_the_requests_prompt(
    checkpoint: Checkpoint, tmp_path: Path, interrogation: str, kind: str, prompt: str
) -> None:
    written = write_interrogator_zip if kind == "interrogator" else write_deepdanbooru
    path = tmp_path / ("words.zip" if kind == "interrogator" else "words.pt")
    written(path)
    file = ModelFile(AssetType(kind), path.name, path, "0" * 64)
    picture = noisy(96, 64)
    body: dict[str, Any] = {"init_images": [as_text(picture)], "prompt": prompt}
    script: dict[str, Any] = {"script_name": "Loopback", "script_args": [2, 0.75, "Linear", interrogation]}

    output = run(checkpoint, Task.IMG2IMG, **body, **script, files=[file], override_settings={"return_grid": False})
    task = Task.INTERROGATE_CLIP if kind == "interrogator" else Task.INTERROGATE_DEEPBOORU
    said = [words(task, one, file) for one in (picture, opened(output, 0))]

    texts = [opened(output, number).info["parameters"].partition("\nSteps: ")[0] for number in (0, 1)]
    assert texts == [f"{prompt}, {one}" if prompt else one for one in said]


def words(task: Task, picture: Image.Image, file: ModelFile) -> str:
    """What the interrogation answers when it is asked alone."""
    params = PARAMS_BY_TASK[task].model_validate({"image": as_text(picture)})
    models = ModelCache(max_bytes=2**30, load=load_nothing)
    said = TASKS[task](TaskInput(params, None, lambda _: None, files=JobFiles([file]), models=models)).caption
    assert said
    return said


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


def test_the_colours_of_each_picture_are_those_of_the_one_before_it(checkpoint: Checkpoint) -> None:
    corrected: dict[str, Any] = {"override_settings": {"img2img_color_correction": True, "return_grid": False}}
    script: dict[str, Any] = {"script_name": "Loopback", "script_args": [2, 1, "Linear"]}

    output = run(checkpoint, Task.IMG2IMG, init_images=[PICTURE], denoising_strength=0.5, **script, **corrected)

    before = as_text(opened(output))
    second = run(checkpoint, Task.IMG2IMG, init_images=[before], denoising_strength=1.0, seed=8, **corrected)
    assert np.array_equal(pixels(output, 1), pixels(second))
