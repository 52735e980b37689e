"""img2img and inpainting from request body to files: the rules WebUI's users rely on (semantics §9)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from inference_container.drawing.latents import encode_images, repaint_cells
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.masks import blur_mask
from inference_container.task import TaskOutput
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import opened, pixels, run

INIT = noisy(64, 64)
HALF = rectangle(64, 64, (32, 0, 64, 64))
WHOLE: dict[str, Any] = {"inpaint_full_res": False, "inpainting_fill": 1, "mask_blur": 0}


def draw(
    checkpoint: Checkpoint, *, image: Image.Image = INIT, mask: Image.Image | None = None, **body: Any
) -> TaskOutput:
    if mask is not None:
        body["mask"] = as_text(mask)
    return run(checkpoint, Task.IMG2IMG, init_images=[as_text(image)], **body)


def heard(checkpoint: Checkpoint, **body: Any) -> Recording:
    with Recording(checkpoint) as recording:
        draw(checkpoint, **body)
    return recording


def difference(left: TaskOutput, right: TaskOutput) -> npt.NDArray[np.int64]:
    return np.abs(pixels(left).astype(int) - pixels(right))


@pytest.mark.parametrize(
    ("steps", "strength", "options", "calls"),
    [
        (20, 0.0, {}, 1),
        (20, 0.25, {}, 6),
        (8, 0.75, {}, 7),
        (8, 1.0, {}, 8),
        (4, 0.5, {"img2img_fix_steps": True}, 4),
    ],
)
def test_strength_decides_how_often_the_model_is_called(
    checkpoint: Checkpoint, steps: int, strength: float, options: dict[str, Any], calls: int
) -> None:
    recording = heard(checkpoint, steps=steps, denoising_strength=strength, override_settings=options)

    assert len(recording.timesteps) == 2 * calls
    assert np.all(np.diff(recording.timesteps) <= 0)


def test_at_full_strength_the_picture_still_matters(checkpoint: Checkpoint) -> None:
    one = draw(checkpoint, denoising_strength=1)
    other = draw(checkpoint, denoising_strength=1, image=Image.new("RGB", (64, 64), "red"))

    assert difference(one, other).max() > 0


def test_one_picture_serves_a_whole_batch(checkpoint: Checkpoint) -> None:
    together = draw(checkpoint, batch_size=2, n_iter=2)

    assert [image.seed for image in together.images] == [7, 8, 9, 10]
    alone = draw(checkpoint, seed=9)
    assert np.abs(pixels(together, 2).astype(int) - pixels(alone)).max() <= 1


def test_several_pictures_are_one_batch(checkpoint: Checkpoint) -> None:
    texts = [as_text(INIT), as_text(noisy(64, 64, seed=1))]

    output = run(checkpoint, Task.IMG2IMG, init_images=texts, batch_size=3, denoising_strength=0)

    assert len(output.images) == 2
    assert output.info["batch_size"] == 2
    # WebUI lists a seed for each picture that was asked for.
    assert output.info["all_seeds"] == [7, 8, 9]
    assert output.info["infotexts"] == [image.infotext for image in output.images]
    second = draw(checkpoint, image=noisy(64, 64, seed=1), seed=8, denoising_strength=0)
    assert np.abs(pixels(output, 1).astype(int) - pixels(second)).max() <= 1


@pytest.mark.parametrize("only_masked", [False, True])
def test_each_of_several_pictures_keeps_its_own_pixels_outside_the_mask(
    checkpoint: Checkpoint, only_masked: bool
) -> None:
    images = [INIT, noisy(64, 64, seed=1)]
    body = {**WHOLE, "inpaint_full_res": only_masked, "inpaint_full_res_padding": 0}

    output = run(
        checkpoint, Task.IMG2IMG, init_images=[as_text(one) for one in images], mask=as_text(HALF), batch_size=2, **body
    )

    for number, image in enumerate(images):
        assert np.array_equal(pixels(output, number)[:, :32], np.asarray(image)[:, :32])


@pytest.mark.parametrize("fill", [0, 1, 2, 3])
def test_unmasked_pixels_survive_exactly_and_masked_ones_are_drawn(checkpoint: Checkpoint, fill: int) -> None:
    body = {**WHOLE, "inpainting_fill": fill}
    output = draw(checkpoint, mask=HALF, **body)
    bare = draw(checkpoint, mask=HALF, **body, override_settings={"overlay_inpaint": False})

    assert np.array_equal(pixels(output)[:, :32], np.asarray(INIT)[:, :32])
    assert np.array_equal(pixels(output)[:, 32:], pixels(bare)[:, 32:])
    assert not np.array_equal(pixels(bare)[:, :32], np.asarray(INIT)[:, :32])


@pytest.mark.parametrize(("width", "height"), [(61, 53), (64, 57), (63, 64), (71, 72), (65, 65)])
@pytest.mark.parametrize("fill", [0, 1, 2, 3])
def test_a_mask_over_a_whole_picture_of_any_size_is_drawn_in_that_size(
    checkpoint: Checkpoint, width: int, height: int, fill: int
) -> None:
    init, half = noisy(width, height), rectangle(width, height, (32, 0, width, height))

    output = draw(checkpoint, image=init, mask=half, width=width, height=height, **{**WHOLE, "inpainting_fill": fill})

    drawn, given = pixels(output), np.asarray(init)
    assert drawn.shape == (height, width, 3)
    assert np.array_equal(drawn[:, :30], given[:, :30])
    assert np.any(drawn[-1, 34:] != given[-1, 34:])
    assert np.any(drawn[34:, -1] != given[34:, -1])
    assert f"Size: {width}x{height}" in output.images[0].infotext


@pytest.mark.parametrize(
    "options", [{"return_mask": True}, {"return_mask_composite": True}, {"overlay_inpaint": False}]
)
def test_masks_and_bare_results_of_odd_sizes_come_back(checkpoint: Checkpoint, options: dict[str, bool]) -> None:
    output = draw(
        checkpoint,
        image=noisy(61, 53),
        mask=rectangle(61, 53, (32, 0, 61, 53)),
        width=61,
        height=53,
        override_settings=options,
        **WHOLE,
    )

    size = (56, 48) if "overlay_inpaint" in options else (61, 53)
    assert {(image.width, image.height) for image in output.images} == {size}


def test_only_masked_returns_the_picture_in_its_own_size(checkpoint: Checkpoint) -> None:
    image, mask = noisy(200, 120), rectangle(200, 120, (80, 40, 120, 80))

    output = draw(checkpoint, image=image, mask=mask, mask_blur=4, inpaint_full_res_padding=8)

    assert opened(output).size == (200, 120)
    untouched = np.ones((120, 200), bool)
    untouched[25:95, 65:135] = False
    assert np.array_equal(pixels(output)[untouched], np.asarray(image)[untouched])
    assert not np.array_equal(pixels(output)[45:75, 85:115], np.asarray(image)[45:75, 85:115])


def test_without_the_overlay_only_masked_returns_what_was_drawn(checkpoint: Checkpoint) -> None:
    mask = rectangle(200, 120, (80, 40, 120, 80))

    output = draw(checkpoint, image=noisy(200, 120), mask=mask, override_settings={"overlay_inpaint": False})

    assert opened(output).size == (64, 64)


def test_latents_outside_the_mask_end_as_the_pictures_own(checkpoint: Checkpoint) -> None:
    recording = heard(checkpoint, mask=HALF, **WHOLE, sampler_name="Euler a")

    kept = encode_images(checkpoint, [INIT]).numpy()
    assert np.allclose(recording.latents[:, :, :, :4], kept[:, :, :, :4], atol=1e-5)
    assert not np.allclose(recording.latents[:, :, :, 4:], kept[:, :, :, 4:], atol=1e-2)


def test_an_empty_mask_with_only_masked_is_plain_img2img(checkpoint: Checkpoint) -> None:
    blank = draw(checkpoint, mask=Image.new("L", (64, 64)))
    plain = draw(checkpoint)

    assert np.array_equal(pixels(blank), pixels(plain))
    assert ", Mask blur: 4, " in blank.images[0].infotext
    assert "Masked content" not in blank.images[0].infotext
    assert "Inpaint area" not in blank.images[0].infotext
    assert "Mask blur" not in plain.images[0].infotext


def test_the_latent_mask_is_antialiased_and_rounded() -> None:
    mask = blur_mask(rectangle(256, 256, (60, 60, 130, 130)), x=4, y=4)

    cells = repaint_cells(mask, like=torch.zeros(1, 4, 32, 32), rounded=True)

    assert cells.sum() == 76
    assert not torch.equal(repaint_cells(mask, like=torch.zeros(1, 4, 32, 32), rounded=False), cells)


def test_a_bare_inpaint_request_means_the_apis_defaults(checkpoint: Checkpoint) -> None:
    output = draw(checkpoint, mask=HALF)

    assert (
        "Denoising strength: 0.75, RNG: CPU, Mask blur: 4, Inpaint area: Only masked, Masked area padding: 0, "
        "Masked content: fill, Version:"
    ) in output.images[0].infotext


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_every_resize_mode_ends_at_the_asked_size(checkpoint: Checkpoint, mode: int) -> None:
    output = draw(checkpoint, image=noisy(96, 48), resize_mode=mode, width=72, height=64)

    assert opened(output).size == (72, 64)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_an_upscaler_enlarges_the_init_picture_and_what_goes_back_into_it(checkpoint: Checkpoint, mode: int) -> None:
    small, nearest = noisy(40, 30), {"upscaler_for_img2img": "Nearest"}
    masked: dict[str, Any] = {"image": noisy(300, 200), "mask": rectangle(300, 200, (20, 20, 250, 190))}

    enlarged = draw(checkpoint, image=small, resize_mode=mode, denoising_strength=0, override_settings=nearest)
    pasted = draw(checkpoint, **masked, override_settings=nearest)

    assert difference(enlarged, draw(checkpoint, image=small, resize_mode=mode, denoising_strength=0)).max() > 0
    assert difference(pasted, draw(checkpoint, **masked)).max() > 0
    large = draw(checkpoint, image=noisy(96, 96), resize_mode=mode, override_settings=nearest)
    assert difference(large, draw(checkpoint, image=noisy(96, 96), resize_mode=mode)).max() == 0


def test_resize_modes_give_different_pictures(checkpoint: Checkpoint) -> None:
    pictures = [
        pixels(draw(checkpoint, image=noisy(96, 64), resize_mode=mode, denoising_strength=0)) for mode in range(4)
    ]

    assert len({picture.tobytes() for picture in pictures}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"initial_noise_multiplier": 0.5},
        {"override_settings": {"img2img_extra_noise": 0.5}},
        {"mask": rectangle(64, 64, (0, 0, 64, 30)), "inpaint_full_res": False},
        {"denoising_strength": 0.2},
    ],
)
def test_every_honoured_field_moves_the_picture(checkpoint: Checkpoint, change: dict[str, Any]) -> None:
    assert difference(draw(checkpoint, **change), draw(checkpoint)).max() > 0


def test_a_soft_mask_stays_soft_when_rounding_is_off(checkpoint: Checkpoint) -> None:
    grey = Image.new("L", (64, 64), 100)

    rounded = draw(checkpoint, mask=grey, **WHOLE, override_settings={"overlay_inpaint": False})
    soft = draw(checkpoint, mask=grey, **WHOLE, mask_round=False, override_settings={"overlay_inpaint": False})

    assert difference(rounded, soft).max() > 0


def test_transparency_lies_on_the_background_colour(checkpoint: Checkpoint) -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))

    on_blue = draw(checkpoint, image=clear, override_settings={"img2img_background_color": "#0000ff"})

    assert np.array_equal(pixels(on_blue), pixels(draw(checkpoint, image=Image.new("RGB", (64, 64), "#0000ff"))))


def test_an_inpainting_checkpoint_sees_the_mask(inpainting: Checkpoint) -> None:
    output = draw(inpainting, mask=HALF, **WHOLE)
    weaker = draw(inpainting, mask=HALF, **WHOLE, override_settings={"inpainting_mask_weight": 0.0})
    unmasked = draw(inpainting)

    assert np.array_equal(pixels(output)[:, :32], np.asarray(INIT)[:, :32])
    assert difference(output, weaker).max() > 0
    assert opened(unmasked).size == (64, 64)
    assert "Conditional mask weight: 0.0" in weaker.images[0].infotext


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"init_images": ["AAAA"]}, JobErrorCode.BAD_IMAGE, "init_images[0]"),
        (
            {"init_images": [as_text(noisy(4, 64))], "resize_mode": 3},
            JobErrorCode.BAD_IMAGE,
            "received a picture of 4x64 pixels to encode",
        ),
        (
            {"override_settings": {"img2img_background_color": "nocolour"}},
            JobErrorCode.INVALID_PARAMS,
            "received 'nocolour'",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(
    checkpoint: Checkpoint, change: dict[str, Any], code: JobErrorCode, reason: str
) -> None:
    body = {"init_images": [as_text(Image.new("RGBA", (64, 64)))], **change}

    with pytest.raises(JobFailed) as failed:
        run(checkpoint, Task.IMG2IMG, **body)

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


def test_colour_correction_gives_the_colours_of_the_filled_init_picture(checkpoint: Checkpoint) -> None:
    red = Image.fromarray(np.asarray(INIT) // 4 + np.array([150, 20, 20], np.uint8))
    body = {**WHOLE, "inpainting_fill": 0}

    plain = draw(checkpoint, image=red, mask=HALF, **body)
    corrected = draw(checkpoint, image=red, mask=HALF, **body, override_settings={"img2img_color_correction": True})

    assert np.array_equal(pixels(corrected)[:, :32], np.asarray(red)[:, :32])
    red_of, blue_of = (pixels(corrected)[:, 32:, channel].astype(int) for channel in (0, 2))
    assert (red_of - blue_of).mean() > 60
    assert difference(plain, corrected).max() > 0
    assert corrected.images[0].infotext == plain.images[0].infotext


def test_pictures_are_not_echoed(checkpoint: Checkpoint) -> None:
    output = draw(checkpoint, mask=HALF, steps=1)

    assert output.parameters["init_images"] is None
    assert output.parameters["mask"] is None
    assert output.parameters["inpainting_fill"] == 0
