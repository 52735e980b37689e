"""SD upscale and both outpaintings: composed of several drawings, on a real if tiny model."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import opened, pixels, run


def asked(title: str, *arguments: object, width: int = 96, height: int = 64, **body: Any) -> dict[str, Any]:
    """The body of a request for a script on a noisy picture."""
    picture = as_text(noisy(width, height))
    return {"init_images": [picture], "script_name": title, "script_args": list(arguments), **body}


def test_sd_upscale_draws_every_tile_from_its_own_seed_and_returns_one_picture(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.IMG2IMG, **asked("SD upscale", None, 16, "Lanczos", 2), denoising_strength=0.4)

    assert [opened(output).size, len(output.images)] == [(192, 128), 1]
    # 4 × 3 tiles of 64 pixels: the last one has the twelfth seed.
    assert output.info["all_seeds"] == [18]
    assert (output.info["seed"], output.images[0].seed) == (7, 7)
    assert "SD upscale overlap: 16, SD upscale upscaler: Lanczos" in output.images[0].infotext
    assert "parameters" not in opened(output).info


def test_sd_upscale_without_an_upscaler_keeps_the_size_and_draws_n_iter_pictures(checkpoint: Checkpoint) -> None:
    output = run(checkpoint, Task.IMG2IMG, **asked("sd upscale", None, 16, 0), n_iter=2)

    assert [opened(output, number).size for number in (0, 1)] == [(96, 64), (96, 64)]
    assert [image.seed for image in output.images] == [7, 8]
    assert not np.array_equal(pixels(output, 0), pixels(output, 1))


def test_tiles_in_batches_are_the_tiles_one_by_one(checkpoint: Checkpoint) -> None:
    body = asked("SD upscale", None, 16, "None", sampler_name="DDIM", denoising_strength=0)

    alone, together = (run(checkpoint, Task.IMG2IMG, **body, batch_size=size) for size in (1, 2))

    assert np.abs(pixels(alone).astype(int) - pixels(together)).max() <= 1


@pytest.mark.parametrize(
    ("direction", "size"),
    [(["left"], (128, 64)), (["left", "right"], (192, 64)), (["up", "down"], (128, 128)), (None, (192, 128))],
)
def test_poor_mans_outpainting_grows_towards_the_named_sides(
    checkpoint: Checkpoint, direction: list[str] | None, size: tuple[int, int]
) -> None:
    body = asked("Poor man's outpainting", 32, 4, "fill", direction, mask_blur_x=9)

    output = run(checkpoint, Task.IMG2IMG, **body)

    assert opened(output).size == size
    assert "Mask blur: 8, Masked content: fill" in output.images[0].infotext


def test_poor_mans_outpainting_keeps_the_middle(checkpoint: Checkpoint) -> None:
    body = asked("Poor man's outpainting", 32, 1, 0, ["left"], width=128, height=128)

    output = run(checkpoint, Task.IMG2IMG, **body)

    assert opened(output).size == (192, 128)
    assert np.array_equal(pixels(output)[:, 160:], np.asarray(noisy(128, 128))[:, 96:])


def test_outpainting_mk2_returns_all_pictures_behind_a_grid(checkpoint: Checkpoint) -> None:
    body = asked("Outpainting mk2", None, 32, 4, ["right", "down"], width=64)

    output = run(checkpoint, Task.IMG2IMG, **body, batch_size=2)
    alone = run(checkpoint, Task.IMG2IMG, **body, batch_size=2, override_settings={"return_grid": False})

    assert [opened(output, number).size for number in range(3)] == [(256, 128), (128, 128), (128, 128)]
    assert [image.seed for image in output.images] == [None, 7, 8]
    assert [opened(alone, number).size for number in range(len(alone.images))] == [(128, 128), (128, 128)]
    assert np.array_equal(pixels(output)[:, :128], pixels(output, 1))
    assert np.array_equal(pixels(alone), pixels(output, 1))


def test_the_steps_of_all_drawings_are_counted_as_one_jobs(checkpoint: Checkpoint) -> None:
    told: list[Progress] = []

    run(checkpoint, Task.IMG2IMG, report=told.append, **asked("SD upscale", None, 0, "None", width=128), steps=3)

    steps = [(one.step, one.steps) for one in told if one.steps]
    # Two tiles of three steps each.
    assert {total for _, total in steps} == {6}
    assert steps[-1] == (6, 6)
    assert steps == sorted(steps)


@pytest.mark.parametrize(
    ("title", "arguments", "said"),
    [
        ("SD upscale", [None, 16, "Lanczos", 16], "received a target of 65536x65536 pixels"),
        ("SD upscale", [None, 16, "Lanczos", 2], "for which the script draws"),
        ("Outpainting mk2", [None, 2112], "received a target of 8320x8320 pixels"),
        ("Poor man's outpainting", [64], "tiles that overlap by 64 pixels; allowed: less than 64"),
    ],
)
def test_work_that_only_the_pictures_size_shows_is_refused(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, title: str, arguments: list[object], said: str
) -> None:
    # As for a picture at a URL, whose size is not known when the job is sent.
    monkeypatch.setattr("generate_on_cloud.contract.script_work.picture_size", lambda _: (64, 64))
    if title == "Poor man's outpainting":
        monkeypatch.setattr("generate_on_cloud.contract.task_params.script_runs", lambda *_: ())
    picture = as_text(Image.new("RGB", (4096, 4096)))
    body: dict[str, Any] = {"init_images": [picture], "script_name": title, "script_args": arguments}

    with pytest.raises(JobFailed, match=said) as caught:
        run(checkpoint, Task.IMG2IMG, **body)

    assert caught.value.error.code is JobErrorCode.INVALID_PARAMS
