"""InstructPix2Pix checkpoints: the picture beside the latents, and its own scale."""

from typing import Any

import numpy as np
import pytest
import torch

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.model_files.family_names import Family
from inference_container.drawing.image_conditioning import condition_on_edited
from inference_container.drawing.init_picture import InitPicture
from inference_container.drawing.latents import encode_images
from inference_container.models.checkpoint import Checkpoint
from inference_container.task import TaskOutput
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import pixels, run

PICTURE = noisy(64, 64)


def draw(editing: Checkpoint, **body: Any) -> TaskOutput:
    return run(editing, Task.IMG2IMG, **{"init_images": [as_text(PICTURE)], "denoising_strength": 1, **body})


def test_it_is_known_by_its_eight_channels(editing: Checkpoint) -> None:
    assert editing.family is Family.INSTRUCT_PIX2PIX
    assert editing.edits
    assert not editing.inpainting


def test_the_picture_is_shown_without_the_vaes_scale(editing: Checkpoint) -> None:
    latents = encode_images(editing, [PICTURE])

    shown = condition_on_edited(editing, [InitPicture(image=PICTURE)], like=latents)

    assert torch.allclose(shown * editing.vae.config.scaling_factor, latents, atol=1e-6)


@pytest.mark.parametrize(("scale", "rows"), [(None, 2), (1.0, 2), (1.5, 3)])
def test_a_scale_of_its_own_takes_a_third_row(editing: Checkpoint, scale: float | None, rows: int) -> None:
    with Recording(editing) as recording:
        output = draw(editing, image_cfg_scale=scale)

    assert len(recording.timesteps) == 2 * rows
    assert (f", Image CFG scale: {scale}, Seed: 7," in output.images[0].infotext) == (scale is not None)


def test_the_scale_moves_the_picture(editing: Checkpoint) -> None:
    weak, strong = (draw(editing, image_cfg_scale=scale) for scale in (1.2, 3.0))

    assert not np.array_equal(pixels(weak), pixels(strong))


def test_masks_batches_and_latent_upscale_work_too(editing: Checkpoint) -> None:
    masked = draw(editing, mask=as_text(rectangle(64, 64, (32, 0, 64, 64))), mask_blur=0, inpaint_full_res=False)
    upscaled = draw(editing, resize_mode=3, width=96, height=80, batch_size=2, image_cfg_scale=1.5)

    assert np.array_equal(pixels(masked)[:, :32], np.asarray(PICTURE)[:, :32])
    assert [pixels(upscaled, number).shape for number in range(2)] == [(80, 96, 3)] * 2


@pytest.mark.parametrize(
    ("task", "body", "reason"),
    [
        (Task.TXT2IMG, {}, "which edits pictures"),
        (
            Task.IMG2IMG,
            {"prompt": "a AND b", "image_cfg_scale": 1.5, "init_images": [as_text(PICTURE)]},
            "AND does not",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(
    editing: Checkpoint, task: Task, body: dict[str, Any], reason: str
) -> None:
    with pytest.raises(JobFailed, match=reason) as failed:
        run(editing, task, **body)

    assert failed.value.error.code is JobErrorCode.INVALID_PARAMS
