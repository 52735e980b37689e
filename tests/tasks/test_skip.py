"""Skip ends the batch that is being drawn with what its last model call predicts, and the next one begins."""

from typing import Any

import numpy as np
import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from inference_container.models.checkpoint import Checkpoint
from inference_container.task import TaskOutput
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import pixels, run

STEPS = 8


def skipped(
    checkpoint: Checkpoint, task: Task, *, step: int, batch: int = 0, batches: int = 1, **body: Any
) -> tuple[TaskOutput, set[int]]:
    """The task's answer if the user presses Skip after this step of the batch, and the steps that were reported."""
    said: list[Progress] = []

    def skips() -> int:
        last = said[-1]
        return int(last.steps > 0 and last.step >= last.steps // batches * batch + step)

    output = run(checkpoint, task, report=said.append, skips=skips, steps=STEPS, n_iter=batches, **body)
    return output, {one.step for one in said}


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DPM++ SDE", "DDIM", "PLMS", "UniPC", "LCM", "Restart"])
def test_the_other_batches_are_as_if_nothing_was_skipped(checkpoint: Checkpoint, sampler: str) -> None:
    body: dict[str, Any] = {"sampler_name": sampler, "batch_size": 2}
    whole = run(checkpoint, Task.TXT2IMG, steps=STEPS, n_iter=3, **body)

    cut, _ = skipped(checkpoint, Task.TXT2IMG, step=2, batch=1, batches=3, **body)

    assert [image.seed for image in cut.images] == [image.seed for image in whole.images]
    same = [np.array_equal(pixels(cut, number), pixels(whole, number)) for number in range(6)]
    assert same == [True, True, False, False, True, True]


@pytest.mark.parametrize(("sampler", "calls"), [("Euler", STEPS), ("DDIM", STEPS - 1)])
def test_the_picture_is_what_the_last_call_predicts(checkpoint: Checkpoint, sampler: str, calls: int) -> None:
    """Of the last step's call that is the finished picture, of an earlier one another."""
    whole = run(checkpoint, Task.TXT2IMG, steps=STEPS, sampler_name=sampler)

    last, _ = skipped(checkpoint, Task.TXT2IMG, step=calls - 1, sampler_name=sampler)
    early, steps = skipped(checkpoint, Task.TXT2IMG, step=2, sampler_name=sampler)

    assert np.abs(pixels(last).astype(int) - pixels(whole)).max() <= 1
    assert not np.array_equal(pixels(early), pixels(whole))
    assert steps == {0, 1, 2, calls}


def test_inpainting_keeps_what_is_not_masked(checkpoint: Checkpoint) -> None:
    init, mask = noisy(64, 64), rectangle(64, 64, (32, 0, 64, 64))
    body: dict[str, Any] = {
        "init_images": [as_text(init)],
        "mask": as_text(mask),
        "inpaint_full_res": False,
        "mask_blur": 0,
    }

    cut, _ = skipped(checkpoint, Task.IMG2IMG, step=2, denoising_strength=1.0, **body)

    assert np.array_equal(pixels(cut)[:, :32], np.asarray(init)[:, :32])


def test_both_passes_of_hires_fix_end(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 1.0}

    cut, steps = skipped(checkpoint, Task.TXT2IMG, step=2, **body)

    assert pixels(cut).shape == (128, 128, 3)
    assert steps == {0, 1, 2, STEPS, 2 * STEPS}
