"""ControlNet in txt2img, hires fix, img2img and inpainting, on a real if tiny model."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.diffusion.sampling import sample
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.controlnet import hint_tensor
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.pictures.control_maps import recolored
from inference_container.task import TaskInput, TaskOutput, load_nothing
from inference_container.tasks import TASKS
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import SMALL, opened, pixels
from tests.tiny_annotators import write_file
from tests.tiny_controlnet import write_tiny_controlnet

SHAPES = noisy(64, 64, seed=4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> JobFiles:
    folder = tmp_path_factory.mktemp("controlnet")
    paths = [
        write_tiny_controlnet(folder / "edges.safetensors"),
        write_tiny_controlnet(folder / "depth.pth", seed=6),
        write_tiny_controlnet(folder / "control_sdxl.safetensors", words=2048),
    ]
    lama = write_file("ControlNetLama.pth", folder / "ControlNetLama.pth")
    types = [*((path, AssetType.CONTROLNET) for path in paths), (lama, AssetType.PREPROCESSOR)]
    return JobFiles(
        [ModelFile(kind, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest()) for path, kind in types]
    )


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(max_bytes=2**30, load=load_nothing)


class Studio:
    """Runs tasks with ControlNet files at hand."""

    def __init__(self, checkpoint: Checkpoint, files: JobFiles, models: ModelCache) -> None:
        self.checkpoint, self.files, self.models = checkpoint, files, models

    def __call__(self, task: Task, *units: dict[str, Any], **body: Any) -> TaskOutput:
        scripts = {"ControlNet": {"args": [{"model": "edges", **unit} for unit in units]}} if units else {}
        params = PARAMS_BY_TASK[task].model_validate({**SMALL, **body, "alwayson_scripts": scripts})
        with torch.inference_mode():
            return TASKS[task](TaskInput(params, self.checkpoint, lambda _: None, files=self.files, models=self.models))


@pytest.fixture
def draw(checkpoint: Checkpoint, files: JobFiles, models: ModelCache) -> Studio:
    return Studio(checkpoint, files, models)


UNIT: dict[str, Any] = {"image": as_text(SHAPES)}


def test_a_unit_changes_the_picture_and_one_without_weight_changes_no_bit(draw: Studio) -> None:
    plain = draw(Task.TXT2IMG)

    controlled = draw(Task.TXT2IMG, UNIT)
    weightless = draw(Task.TXT2IMG, {**UNIT, "weight": 0})

    assert (pixels(controlled) != pixels(plain)).any()
    assert pixels(weightless).tobytes() == pixels(plain).tobytes()


def test_control_modes_and_windows_draw_different_pictures(draw: Studio) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"control_mode": "My prompt is more important"},
        {"control_mode": "ControlNet is more important"},
        {"guidance_end": 0},
        {"weight": 0.5},
        {"module": "invert"},
        {"advanced_weighting": [0.0] * 12 + [1.0]},
    ]

    drawn = [pixels(draw(Task.TXT2IMG, {**UNIT, **variant}, steps=4)).tobytes() for variant in variants]

    assert len(set(drawn)) == len(variants)


def test_units_add_up_whatever_their_order(draw: Studio) -> None:
    other = {**UNIT, "model": "depth", "module": "invert"}

    one, two = draw(Task.TXT2IMG, UNIT, other), draw(Task.TXT2IMG, other, UNIT)

    assert np.abs(pixels(one).astype(int) - pixels(two)).max() <= 1
    assert (pixels(one) != pixels(draw(Task.TXT2IMG, UNIT))).any()


def test_maps_follow_the_pictures_unless_they_are_not_wanted(draw: Studio) -> None:
    hidden = {**UNIT, "model": "depth", "save_detected_map": False}

    output = draw(Task.TXT2IMG, {**UNIT, "module": "invert"}, hidden, batch_size=2)

    assert len(output.images) == 3
    assert opened(output, 2).tobytes() == Image.fromarray(255 - np.asarray(SHAPES)).tobytes()
    assert (output.images[2].seed, output.images[2].infotext) == (None, "")


def test_infotext_names_every_unit_and_the_echo_shows_no_pictures(draw: Studio) -> None:
    output = draw(Task.TXT2IMG, UNIT, {**UNIT, "model": "depth [d14c016b]", "weight": 0.5})

    text = output.images[0].infotext
    assert 'ControlNet 0: "Module: none, Model: edges, Weight: 1.0, Resize Mode: Crop and Resize, ' in text
    assert 'ControlNet 1: "Module: none, Model: depth [d14c016b], Weight: 0.5, ' in text
    assert output.info["extra_generation_params"]["ControlNet 0"].endswith("Control Mode: Balanced")
    assert output.parameters["alwayson_scripts"]["ControlNet"]["args"][0] == {"model": "edges", "image": None}


def test_a_unit_without_a_picture_takes_the_init_picture(draw: Studio) -> None:
    body: dict[str, Any] = {"init_images": [as_text(SHAPES)], "denoising_strength": 0.9}

    own = draw(Task.IMG2IMG, UNIT, **body)
    borrowed = draw(Task.IMG2IMG, {}, **body)

    assert pixels(borrowed).tobytes() == pixels(own).tobytes()
    assert opened(borrowed, 1).tobytes() == SHAPES.tobytes()


def test_a_mask_takes_the_place_of_the_picture(draw: Studio) -> None:
    mask = rectangle(64, 64, (8, 8, 40, 40))

    output = draw(Task.TXT2IMG, {**UNIT, "module": "invert", "mask": as_text(mask)})

    assert opened(output, 1).tobytes() == mask.convert("RGB").tobytes()


@pytest.mark.parametrize("module", ["softedge_hed", "dw_openpose_full"])
def test_a_preprocessor_whose_picture_a_mask_replaces_needs_no_file(draw: Studio, module: str) -> None:
    mask = rectangle(64, 64, (8, 8, 40, 40))

    output = draw(Task.TXT2IMG, {**UNIT, "module": module, "mask": as_text(mask)})

    assert opened(output, 1).tobytes() == mask.convert("RGB").tobytes()
    with pytest.raises(JobFailed, match="received no preprocessor called"):
        draw(Task.TXT2IMG, {**UNIT, "module": module, "mask": as_text(Image.new("RGB", (64, 64)))})


def test_only_masked_cuts_the_units_picture_too(draw: Studio) -> None:
    large = noisy(128, 96, seed=9)
    body: dict[str, Any] = {
        "init_images": [as_text(large)],
        "mask": as_text(rectangle(128, 96, (32, 16, 96, 80))),
        "mask_blur": 0,
        "inpaint_full_res": True,
    }

    cut = draw(Task.IMG2IMG, {"image": as_text(large)}, **body)
    whole = draw(Task.IMG2IMG, {"image": as_text(large), "inpaint_crop_input_image": False}, **body)

    assert opened(cut, 1).tobytes() == large.crop((32, 16, 96, 80)).tobytes()
    assert opened(whole, 1).tobytes() != opened(cut, 1).tobytes()


def test_hires_fix_has_a_map_for_each_pass_and_a_say_in_which(draw: Studio) -> None:
    body: dict[str, Any] = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.9}
    plain = draw(Task.TXT2IMG, **body)

    drawn = {
        option: draw(Task.TXT2IMG, {**UNIT, "hr_option": option}, **body)
        for option in ("Both", "Low res only", "High res only")
    }

    assert [opened(drawn["Both"], number).size for number in (1, 2)] == [(96, 96), (64, 64)]
    assert len({pixels(output).tobytes() for output in (plain, *drawn.values())}) == 4


def test_an_inpainting_checkpoint_is_controlled_too(
    inpainting: Checkpoint, files: JobFiles, models: ModelCache
) -> None:
    draw = Studio(inpainting, files, models)
    body: dict[str, Any] = {
        "init_images": [as_text(noisy(64, 64))],
        "mask": as_text(rectangle(64, 64, (0, 0, 64, 64))),
        "mask_blur": 0,
        "inpaint_full_res": False,
    }

    plain, controlled = draw(Task.IMG2IMG, **body), draw(Task.IMG2IMG, UNIT, **body)

    assert (pixels(plain) != pixels(controlled)).any()


@pytest.mark.parametrize(
    ("unit", "code", "reason"),
    [
        ({"model": "control_sdxl"}, JobErrorCode.ASSET_INCOMPATIBLE, "is made for Stable Diffusion XL, the "),
        ({"model": "openpose"}, JobErrorCode.ASSET_MISSING, "received no controlnet called 'openpose'; given: edges"),
        ({"advanced_weighting": [1, 1]}, JobErrorCode.INVALID_PARAMS, "received 2 numbers .* allowed: 13"),
        ({"image": "aaaa"}, JobErrorCode.BAD_IMAGE, "ControlNet 0: image: received"),
    ],
)
def test_what_cannot_be_done_fails_with_the_reason(
    draw: Studio, unit: dict[str, Any], code: JobErrorCode, reason: str
) -> None:
    with pytest.raises(JobFailed, match=reason) as failed:
        draw(Task.TXT2IMG, {**UNIT, **unit})

    assert failed.value.error.code is code


def test_a_second_job_loads_nothing(draw: Studio) -> None:
    draw(Task.TXT2IMG, UNIT, steps=1)
    misses = draw.models.misses

    draw(Task.TXT2IMG, UNIT, steps=1)

    assert draw.models.misses == misses


def test_what_is_added_to_the_unet_is_what_diffusers_own_networks_compute(
    checkpoint: Checkpoint, files: JobFiles, models: ModelCache
) -> None:
    from inference_container.diffusion.control import Control, ControlPlan, UnetInputs
    from inference_container.models.controlnet import hint_tensor, load_controlnet

    network = load_controlnet(files.named(AssetType.CONTROLNET, "edges"), checkpoint=checkpoint).network
    hint = hint_tensor(np.asarray(SHAPES), device=checkpoint.device, dtype=checkpoint.dtype)
    generator = torch.Generator().manual_seed(1)
    given = UnetInputs(
        torch.randn(2, 4, 8, 8, generator=generator),
        torch.tensor([500, 500]),
        torch.randn(2, 77, 32, generator=generator),
        None,
        (True, False),
    )

    with torch.inference_mode():
        ours = ControlPlan((Control(network=network, hint=hint, weight=0.7),), 4).residuals(0, given)
        down, middle = network(
            given.x,
            given.timesteps,
            encoder_hidden_states=given.tokens,
            controlnet_cond=torch.cat([hint, hint]),
            conditioning_scale=0.7,
            return_dict=False,
        )

    assert all(
        torch.allclose(one, other, rtol=1e-4)
        for one, other in zip(ours["down_block_additional_residuals"], down, strict=True)
    )
    assert torch.allclose(ours["mid_block_additional_residual"], middle, rtol=1e-4)


def test_a_shuffled_map_belongs_to_the_seed(draw: Studio) -> None:
    def map_of(**body: Any) -> Any:
        return pixels(draw(Task.TXT2IMG, {**UNIT, "module": "shuffle", "processor_res": 64}, **body), 1)

    first = map_of(seed=3)

    assert (map_of(seed=3) == first).all()
    assert (map_of(seed=1, subseed=5) == first).all()  # their sum counts, and a random subseed is the seed again
    assert (map_of(seed=4) != first).any()


@pytest.mark.parametrize("module", ["recolor_luminance", "recolor_intensity"])
def test_recolor_gives_every_picture_the_brightness_of_the_map(draw: Studio, module: str) -> None:
    unit = {**UNIT, "module": module, "weight": 0}

    plain, recoloured = draw(Task.TXT2IMG, n_iter=2), draw(Task.TXT2IMG, unit, n_iter=2)

    fitted = pixels(recoloured, 2)
    for number in range(2):
        wanted = recolored(pixels(plain, number), module, fitted=fitted)
        assert (pixels(recoloured, number) == wanted).all()


def shown_to(monkeypatch: pytest.MonkeyPatch, draw: Studio, task: Task, *units: dict[str, Any], **body: Any) -> Any:
    """What the network of the first unit reads: (3, height, width)."""
    seen: list[Any] = []

    def listening(found: Any, **target: Any) -> torch.Tensor:
        hint = hint_tensor(found, **target)
        seen.append(hint)
        return hint

    monkeypatch.setattr("inference_container.drawing.controlnet.hint_tensor", listening)
    draw(task, *units, **body)
    return seen[0][0].numpy()


def test_inpaint_hides_what_the_units_mask_says(draw: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = rectangle(64, 64, (16, 8, 40, 32))
    unit = {**UNIT, "module": "inpaint_global_harmonious", "mask": as_text(mask)}

    hint = shown_to(monkeypatch, draw, Task.TXT2IMG, unit)

    anew = np.asarray(mask.convert("L")) > 127
    assert (hint[:, anew] == -1).all()
    assert np.allclose(hint[:, ~anew], np.asarray(SHAPES).transpose(2, 0, 1)[:, ~anew] / 255, atol=1e-6)
    assert (shown_to(monkeypatch, draw, Task.TXT2IMG, {**UNIT, "module": "inpaint"}) >= 0).all()


def test_inpaint_without_a_picture_takes_the_init_picture_and_its_mask(
    draw: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = rectangle(64, 64, (16, 8, 40, 32))
    body = {"init_images": [as_text(SHAPES)], "mask": as_text(mask), "mask_blur": 0, "inpaint_full_res": False}
    unit = {"module": "inpaint"}

    whole = shown_to(monkeypatch, draw, Task.IMG2IMG, unit, **body)
    inverted = shown_to(monkeypatch, draw, Task.IMG2IMG, unit, **{**body, "inpainting_mask_invert": 1})
    padded = {**body, "inpaint_full_res": True, "inpaint_full_res_padding": 8}
    region = shown_to(monkeypatch, draw, Task.IMG2IMG, unit, **padded)

    anew = np.asarray(mask.convert("L")) > 127
    assert ((whole == -1).all(axis=0) == anew).all()
    assert ((inverted == -1).all(axis=0) == ~anew).all()
    assert anew.mean() < (region == -1).all(axis=0).mean() < 1


def test_the_map_of_inpaint_comes_back_half_transparent(draw: Studio) -> None:
    unit = {**UNIT, "module": "inpaint", "mask": as_text(rectangle(64, 64, (16, 8, 40, 32)))}

    output = draw(Task.TXT2IMG, unit)

    assert opened(output, 1).mode == "RGBA"
    assert opened(output, 1).getchannel("A").getextrema() == (128, 255)


def test_inpaint_only_keeps_every_pixel_that_its_mask_does_not_name(draw: Studio) -> None:
    mask = rectangle(64, 64, (16, 8, 40, 32))
    unit = {**UNIT, "module": "inpaint_only", "mask": as_text(mask)}

    drawn, plain = pixels(draw(Task.TXT2IMG, unit)), pixels(draw(Task.TXT2IMG))

    far = np.asarray(mask.filter(ImageFilter.MaxFilter(15))) == 0
    near = np.asarray(mask.filter(ImageFilter.MinFilter(9))) == 255
    assert np.abs(drawn.astype(int) - np.asarray(SHAPES))[far].max() <= 1
    assert np.abs(drawn.astype(int) - np.asarray(SHAPES))[near].mean() > 10
    assert np.abs(drawn.astype(int) - plain)[near].mean() > 1


def test_inpaint_only_under_img2imgs_own_mask_is_the_plain_inpaint(draw: Studio) -> None:
    mask = as_text(rectangle(64, 64, (16, 8, 40, 32)))
    body = {"init_images": [as_text(SHAPES)], "mask": mask, "inpaint_full_res": False}

    only, plain = (draw(Task.IMG2IMG, {"module": module}, **body) for module in ("inpaint_only", "inpaint"))

    assert (pixels(only) == pixels(plain)).all()


def filled(width: int, height: int) -> Any:
    """Where `inpaint_only+lama` draws anew, on the tests' picture."""
    mask = rectangle(width, height, (width // 4, height // 8, width // 2, height // 2))
    return {"image": as_text(noisy(width, height, seed=4)), "module": "inpaint_only+lama", "mask": as_text(mask)}


def test_a_filled_hole_is_drawn_over_and_what_is_not_masked_stays(draw: Studio) -> None:
    unit = filled(64, 64)

    output = draw(Task.TXT2IMG, unit)

    drawn, shown = pixels(output), np.asarray(opened(output, 1).convert("RGB"))
    mask = rectangle(64, 64, (16, 8, 32, 32))
    far = np.asarray(mask.filter(ImageFilter.MaxFilter(15))) == 0
    hole = np.asarray(mask.convert("L")) > 127
    assert np.abs(drawn.astype(int) - np.asarray(SHAPES))[far].max() <= 1
    assert (shown[~hole] == np.asarray(SHAPES)[~hole]).all()
    assert np.abs(shown.astype(int) - np.asarray(SHAPES))[hole].mean() > 10
    assert (drawn != pixels(draw(Task.TXT2IMG, {**unit, "module": "inpaint_only"}))).any()


def noises(monkeypatch: pytest.MonkeyPatch, draw: Studio, unit: dict[str, Any], **body: Any) -> list[Any]:
    """The noise that each pass begins with."""
    seen: list[Any] = []

    def listening(model: Any, request: Any, **more: Any) -> Any:
        seen.append(request.noise.first().clone())
        return sample(model, request, **more)

    monkeypatch.setattr("inference_container.drawing.batches.sample", listening)
    draw(Task.TXT2IMG, unit, **body)
    return seen


def test_the_first_batchs_noise_lies_over_the_filled_picture(draw: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"n_iter": 2, "enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    over, plain = (
        noises(monkeypatch, draw, {**filled(64, 64), "module": module}, **body)
        for module in ("inpaint_only+lama", "inpaint_only")
    )

    changed = [not torch.equal(one, other) for one, other in zip(over, plain, strict=True)]

    alpha = draw.checkpoint.alphas_cumprod[-1]
    rest = over[0] - (1 - alpha).sqrt() * plain[0]
    assert changed == [True, False, False, False], "each batch has two passes"
    assert torch.allclose(rest, rest[:1].expand_as(rest), atol=1e-5)
    assert rest.abs().max() > 0.01


def test_the_margin_of_a_smaller_picture_is_filled(draw: Studio) -> None:
    unit = {**filled(64, 32), "resize_mode": "Resize and Fill"}

    shown = np.asarray(opened(draw(Task.TXT2IMG, unit), 1))

    assert (shown[:16, :, 3] == 128).all()
    assert (shown[16:48, :16, 3] == 255).all()
    assert shown[:16, :, :3].std() > 5


@pytest.mark.parametrize("module", ["tile_colorfix", "tile_colorfix+sharp"])
def test_a_colour_fix_brings_the_pictures_colours_in_every_pass(draw: Studio, module: str) -> None:
    red = Image.new("RGB", (64, 64), (220, 30, 30))
    unit = {"image": as_text(red), "module": module, "threshold_a": 3}
    hires = {"enable_hr": True, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7}

    for body in ({}, hires):
        with_fix, without = (draw(Task.TXT2IMG, {**unit, "weight": weight}, **body) for weight in (1, 0))
        assert (pixels(without) == pixels(draw(Task.TXT2IMG, **body))).all()
        assert (pixels(with_fix) != pixels(without)).mean() > 0.5


def test_a_colour_fix_needs_a_checkpoint_that_predicts_noise(draw: Studio) -> None:
    draw.checkpoint = replace(draw.checkpoint, prediction_type="v_prediction")

    with pytest.raises(JobFailed, match="tile_colorfix needs a checkpoint that predicts noise") as failed:
        draw(Task.TXT2IMG, {**UNIT, "module": "tile_colorfix"})

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
