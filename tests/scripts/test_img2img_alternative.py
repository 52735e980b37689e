"""img2img alternative test: pictures drawn from noise that was found in the init picture, on a real if tiny model."""

from typing import Any

import numpy as np
import pytest

from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import opened, pixels, run

PICTURE = as_text(noisy(64, 64))
TITLE = "img2img alternative test"


def asked(*arguments: object, **body: Any) -> dict[str, Any]:
    """The body of a request for the script; its first argument is a label."""
    return {"init_images": [PICTURE], "script_name": TITLE, "script_args": [None, *arguments], **body}


def test_without_randomness_the_seed_plays_no_part_and_all_batches_are_alike(checkpoint: Checkpoint) -> None:
    plain = asked(True, True, "the cat", "red", True, 3, n_iter=2, batch_size=2)
    mixed = asked(True, True, "the cat", "red", True, 3, True, 1, 0.5, batch_size=2)

    output, other = (run(checkpoint, Task.IMG2IMG, **body) for body in (plain, mixed))

    assert len(output.images) == 4
    assert [image.seed for image in output.images] == [7, 8, 9, 10]
    assert all(np.abs(pixels(output).astype(int) - pixels(output, number)).max() <= 1 for number in (1, 2, 3))
    assert np.abs(pixels(other).astype(int) - pixels(other, 1)).max() > 1


def test_the_original_prompt_and_each_setting_change_the_picture(checkpoint: Checkpoint) -> None:
    base: list[object] = [True, False, "the cat", "red", False, 3, True, 1.0, 0.0, False]
    changes = {2: "a red dog", 5: 4, 7: 3.0, 9: True}

    pictures = [pixels(run(checkpoint, Task.IMG2IMG, **asked(*base)))]
    for place, value in changes.items():
        pictures.append(pixels(run(checkpoint, Task.IMG2IMG, **asked(*base[:place], value, *base[place + 1 :]))))

    assert all(not np.array_equal(pictures[0], other) for other in pictures[1:])


def test_the_infotext_has_what_was_overridden_and_how_the_noise_was_found(checkpoint: Checkpoint) -> None:
    body = asked(True, True, "the cat", "", True, 3, sampler_name="DPM++ 2M Karras", denoising_strength=0.2)

    text = opened(run(checkpoint, Task.IMG2IMG, **body)).info["parameters"]

    # In WebUI's order and spelling, also of the negative prompt that is empty.
    assert text.startswith("the cat\nSteps: 3, Sampler: Euler, Schedule type: Karras, ")
    assert "Denoising strength: 1.0, RNG: CPU, Decode prompt: the cat, Decode negative prompt: , " in text
    assert "Decode CFG scale: 1.0, Decode steps: 3, Randomness: 0.0, Sigma Adjustment: False, Version: " in text


def test_finding_the_noise_counts_among_the_steps(checkpoint: Checkpoint) -> None:
    told: list[Progress] = []

    run(checkpoint, Task.IMG2IMG, report=told.append, **asked(True, True, "cat", "", False, 5), steps=3, n_iter=2)

    steps = [(one.step, one.steps) for one in told if one.steps]
    # Five steps back, and twice as many forth as a denoising strength of 1 takes.
    assert {total for _, total in steps} == {11}
    assert steps[-1] == (11, 11)
    assert steps == sorted(steps)


def test_a_sampler_over_timesteps_is_refused_unless_it_is_overridden(checkpoint: Checkpoint) -> None:
    run(checkpoint, Task.IMG2IMG, **asked(True, True, "cat", "", True, 2), sampler_name="DDIM")

    with pytest.raises((JobFailed, ValueError), match="received sampler 'DDIM'; allowed: override_sampler true, or "):
        run(checkpoint, Task.IMG2IMG, **asked(False, True, "cat", "", True, 2), sampler_name="DDIM")
