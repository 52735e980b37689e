"""Prompt matrix and Prompts from file or textbox, on a real if tiny model."""

from dataclasses import replace

import numpy as np
import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput
from inference_container.tasks.txt2img import txt2img
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import SMALL, opened, pixels, run


def test_a_matrix_draws_every_combination_behind_a_grid(checkpoint: Checkpoint) -> None:
    output = run(
        checkpoint,
        Task.TXT2IMG,
        prompt="red|cat|on",
        script_name="Prompt matrix",
        script_args=[False, False, "positive", "comma", 4],
        subseed=3,
        batch_size=2,
    )
    last = run(checkpoint, Task.TXT2IMG, prompt="red, cat, on")

    assert output.info["all_prompts"] == ["red", "red, cat", "red, on", "red, cat, on"]
    assert [image.seed for image in output.images] == [None, 7, 7, 7, 7]
    assert output.info["all_subseeds"] == [3, 4, 5, 6]
    assert (output.info["index_of_first_image"], output.info["batch_size"]) == (1, 2)
    assert output.info["infotexts"] == [image.infotext for image in output.images]
    assert np.array_equal(pixels(output, 4), pixels(last))
    # Two columns and rows of 64 pixels with 4 between them, three quarters of a cell for texts at the left.
    assert opened(output).width == 48 + 64 + 4 + 64
    assert np.array_equal(pixels(output)[-64:, -64:], pixels(output, 4))


def test_a_matrix_of_negative_prompts_may_go_on_with_other_seeds(checkpoint: Checkpoint) -> None:
    output = run(
        checkpoint,
        Task.IMG2IMG,
        init_images=[as_text(noisy(64, 64))],
        negative_prompt="on | , cat ,",
        script_name="prompt matrix",
        script_args=[True, True, "negative", "space"],
    )

    assert output.info["all_negative_prompts"] == ["on ", " cat  on "]
    assert output.info["all_seeds"] == [7, 8]


LINES = """
cat

--prompt "red cat" on --negative_prompt "the" --steps 3 --seed 100 --width 32 --sampler_name "euler A" --sampler_index 9
a --strange line
"""


def test_every_line_is_drawn_with_its_own_fields(checkpoint: Checkpoint) -> None:
    told: list[Progress] = []

    output = run(
        checkpoint,
        Task.TXT2IMG,
        report=told.append,
        prompt="the",
        negative_prompt="on",
        script_name="Prompts from file or textbox",
        script_args=[True, False, "end", LINES],
    )
    alone = run(
        checkpoint, Task.TXT2IMG, prompt="the red cat on", negative_prompt="on the", steps=3, seed=100, width=32,
        sampler_name="Euler a",
    )  # fmt: skip

    assert output.info["all_prompts"] == ["the cat", "the red cat on", "the a --strange line"]
    assert [image.seed for image in output.images] == [7, 100, 9]
    assert np.array_equal(pixels(output, 1), pixels(alone))
    assert opened(output, 1).info["parameters"] == alone.images[0].infotext == output.info["infotexts"][1]
    assert (output.info["seed"], output.info["all_seeds"], output.info["sd_model_name"]) == (10, [10], None)
    assert (told[-1].step, told[-1].steps) == (7, 7)


@pytest.mark.parametrize(("same", "seeds"), [(True, 1), (False, 2)])
def test_lines_share_a_random_seed_only_if_asked_to(checkpoint: Checkpoint, same: bool, seeds: int) -> None:
    output = run(
        checkpoint,
        Task.TXT2IMG,
        seed=-1,
        script_name="Prompts from file or textbox",
        script_args=[False, same, "start", "cat\ncat"],
    )

    assert len({image.seed for image in output.images}) == seeds


def test_a_line_may_name_another_checkpoint(checkpoint: Checkpoint, inpainting: Checkpoint) -> None:
    params = Txt2ImgParams.model_validate(
        SMALL | {"script_name": "Prompts from file or textbox", "script_args": [0, 0, 0, "a\n--prompt a --sd_model b"]}
    )
    files = [replace(one.file, references=(name,)) for name, one in (("a", checkpoint), ("b", inpainting))]
    models = ModelCache(max_bytes=2**30, load=lambda file: inpainting if file.is_called("b") else checkpoint)
    models.begin_job()

    output = txt2img(TaskInput(params, checkpoint, lambda _: None, files=JobFiles(files), models=models))

    assert ["Model: tiny," in image.infotext for image in output.images] == [True, False]
    assert "Model: tiny-inpainting," in output.images[1].infotext
