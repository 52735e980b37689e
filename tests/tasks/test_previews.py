"""Previews: what is shown of a picture while it is drawn."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.model_files.family_names import Family
from inference_container.drawing.previews import preview_jpeg
from inference_container.models.checkpoint import Checkpoint
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks import TASKS
from tests.tasks.running import SMALL


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.load()
        return image


def with_previews(checkpoint: Checkpoint, **body: object) -> tuple[TaskOutput, list[bytes]]:
    offered: list[Callable[[], bytes]] = []
    params = PARAMS_BY_TASK[Task.TXT2IMG].model_validate({**SMALL, **body})
    output = TASKS[Task.TXT2IMG](TaskInput(params, checkpoint, lambda _: None, offered.append))
    return output, [render() for render in offered]


@pytest.mark.parametrize(
    ("latent", "size"), [((8, 8), (64, 64)), ((64, 64), (256, 256)), ((128, 64), (128, 256)), ((1, 256), (256, 1))]
)
def test_a_preview_is_a_jpeg_no_side_of_which_is_over_256(latent: tuple[int, int], size: tuple[int, int]) -> None:
    assert opened(preview_jpeg(torch.zeros(4, *latent), family=Family.SD1)).size == size


def test_the_first_channel_is_brightness_and_families_have_their_own_colours() -> None:
    latents = torch.zeros(4, 8, 8)
    latents[0] = 2.0

    bright = np.asarray(opened(preview_jpeg(latents, family=Family.SD1)))
    dark = np.asarray(opened(preview_jpeg(-latents, family=Family.SD1)))
    sdxl = np.asarray(opened(preview_jpeg(latents, family=Family.SDXL)))

    assert bright.mean() - dark.mean() > 100
    assert np.abs(bright[4, 4].astype(int) - [203, 180, 180]).max() <= 3
    assert sdxl[4, 4].astype(int)[2] > bright[4, 4].astype(int)[2] + 10


def test_latents_that_are_not_numbers_are_still_a_picture() -> None:
    assert opened(preview_jpeg(torch.full((4, 8, 8), torch.nan), family=Family.SD1)).size == (64, 64)


@pytest.mark.parametrize("sampler", ["Euler", "DDIM", "Heun"])
def test_every_model_call_offers_a_preview_and_the_last_shows_what_is_drawn(
    checkpoint: Checkpoint, sampler: str
) -> None:
    with Recording(checkpoint) as recording:
        _, previews = with_previews(checkpoint, sampler_name=sampler, steps=4)

    assert len(previews) == len(recording.timesteps) // 2
    ends = opened(preview_jpeg(torch.from_numpy(recording.latents[0]), family=Family.SD1))
    error = np.abs(np.asarray(opened(previews[-1])).astype(int) - np.asarray(ends))
    assert error.mean() < 12


def test_previews_do_not_change_the_picture(checkpoint: Checkpoint) -> None:
    output, _ = with_previews(checkpoint)
    params = PARAMS_BY_TASK[Task.TXT2IMG].model_validate(SMALL)

    assert TASKS[Task.TXT2IMG](TaskInput(params, checkpoint, lambda _: None)).images[0].data == output.images[0].data
