"""Whole requests that real users and clients sent and that were refused, or drawn otherwise than in WebUI."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image, ImageDraw

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import JobRequest
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Txt2ImgParams
from generate_on_cloud.webui.infotext.fill import fill_in
from tests.lambdas.cloud import PNG, Cloud

DRAWN: dict[str, Any] = {"prompt": "a red circle", "steps": 4, "width": 64, "height": 64, "seed": 5, "cfg_scale": 6}
UNIT: dict[str, Any] = {"enabled": True, "module": "none", "model": "edges", "image": PNG}
WORDS = "a red circle\nNegative prompt: blurry\nSteps: 6, Sampler: Euler a, CFG scale: 6, Seed: 5, Size: 64x64"


def picture(size: tuple[int, int] = (64, 64), *, suffix: str = "PNG", mode: str = "RGB") -> str:
    """A filled ellipse, in base64."""
    image = Image.new(mode, size)
    ImageDraw.Draw(image).ellipse((8, 8, size[0] - 8, size[1] - 8), fill="white")
    file = io.BytesIO()
    image.save(file, suffix)
    return base64.b64encode(file.getvalue()).decode()


def controlled(**unit: object) -> dict[str, Any]:
    return {"alwayson_scripts": {"ControlNet": {"args": [UNIT | unit]}}}


FORGE = {"batch_image_dir": "", "batch_input_gallery": None, "generated_image": None, "image_fg": None,
         "module": "None", "input_mode": "simple", "mask_image": None, "use_preview_as_input": False,
         "hr_option": "Both", "processor_res": -1, "threshold_a": -1, "threshold_b": -1,
         "save_detected_map": True}  # fmt: skip
OLD = {"image": None, "input_image": PNG, "module": "canny", "mask": "", "lowvram": False, "guessmode": False,
       "processor_res": 64, "threshold_a": 10, "threshold_b": 20, "guidance_start": 0.01, "resize_mode": 1}  # fmt: skip
FLAT = [False, False, True, "none", "edges", 1.0, {"image": PNG}, False, "Scale to Fit (Inner Fit)", False, False, 64,
        64, 64, 0.0, 1.0, False]  # fmt: skip
XYZ = [4, "2,3", [], 0, "", [], 0, "", [], True, False, False, False, 0, False]
INIT = {"init_images": [picture()], "denoising_strength": 0.5}

Row = tuple[Task, dict[str, Any], dict[str, Any]]
"""A task, what its params have besides DRAWN, and what the container then gets of them."""
ROWS: dict[str, Row] = {
    "a script that is off": (
        Task.TXT2IMG, {"alwayson_scripts": {"ADetailer": {"args": [False]}}}, {"alwayson_scripts": {}},
    ),
    "an AVIF picture": (Task.IMG2IMG, INIT | {"init_images": [picture(suffix="AVIF")]}, {}),
    "an AVIF picture as a data URI": (
        Task.IMG2IMG, INIT | {"init_images": ["data:image/avif;base64," + picture(suffix="AVIF")]}, {},
    ),
    "a unit whose mask is an empty text": (Task.TXT2IMG, controlled(mask=""), {}),
    "a unit with thresholds of another module": (
        Task.TXT2IMG, controlled(mask=None, threshold_a=64, threshold_b=64, processor_res=512, low_vram=False), {},
    ),
    "a unit of Forge": (Task.TXT2IMG, controlled(**FORGE), {}),
    "a unit of the first versions": (Task.TXT2IMG, controlled(**OLD), {}),
    "a unit as a flat list": (Task.TXT2IMG, {"alwayson_scripts": {"ControlNet": {"args": FLAT}}}, {}),
    "a mask that is an empty text": (Task.IMG2IMG, INIT | {"mask": ""}, {"mask": None}),
    "a mask over the whole picture of an odd size": (
        Task.IMG2IMG,
        INIT | {"init_images": [picture((101, 77))], "mask": picture((101, 77), mode="L"), "width": 101, "height": 77,
                "inpaint_full_res": False},
        {"width": 101, "height": 77},
    ),
    "a fraction for a whole number": (
        Task.TXT2IMG,
        {"enable_hr": True, "hr_scale": 1, "hr_second_pass_steps": 2.5, "denoising_strength": "0.75",
         "cfg_scale": "6.0"},
        {"hr_second_pass_steps": 2, "denoising_strength": 0.75, "cfg_scale": 6.0},
    ),
    "a LoRA by its trainer's name": (Task.TXT2IMG, {"prompt": "a moon <lora:crescentMoon:1>"}, {}),
    "options without effect": (
        Task.TXT2IMG,
        {"override_settings": {"samples_filename_pattern": "[seed]", "show_progress_every_n_steps": 10,
                               "live_previews_enable": False, "save_to_dirs": False}},
        {"override_settings": {}},
    ),
    "a prompt edit next to stray colons": (Task.TXT2IMG, {"prompt": "photo of [a circle:a star:0.5]:: on white"}, {}),
    "more steps and pictures than the sliders have": (Task.TXT2IMG, {"steps": 200, "batch_size": 12}, {"steps": 200}),
    "more pixels than the sliders have": (Task.TXT2IMG, {"width": 2560, "steps": 1}, {"width": 2560}),
    "SD upscale": (
        Task.IMG2IMG, INIT | {"script_name": "SD upscale", "script_args": ["", 16, "Lanczos", 2]}, {},
    ),
    "X/Y/Z plot": (Task.TXT2IMG, {"script_name": "X/Y/Z plot", "script_args": XYZ}, {}),
    "the empty style": (Task.TXT2IMG, {"styles": ["None"]}, {"styles": []}),
    "an infotext of hypernetworks": (
        Task.TXT2IMG, {"infotext": f"{WORDS}, Hypernet: hearts, Hypernet strength: 1.0"}, {},
    ),
}  # fmt: skip


def kept(cloud: Cloud, task: Task, params: dict[str, Any]) -> dict[str, Any]:
    """The params that the container gets, with their defaults."""
    body = {"task": task, "checkpoint": "dream", "params": params}
    job = cloud.ask("POST", "/v1/jobs", body).ok(201)
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    request = JobRequest.model_validate_json(stored)
    return PARAMS_BY_TASK[task].model_validate(request.params).model_dump()


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.checkpoint()
    cloud.asset("controlnet", "edges.safetensors")
    cloud.asset("lora", "renamed_by_user.safetensors", alias="crescentMoon")
    cloud.asset("hypernetwork", "hearts.pt")
    return cloud


@pytest.mark.parametrize("name", ROWS)
def test_what_webui_draws_is_taken_and_read_as_webui_reads_it(stocked: Cloud, name: str) -> None:
    task, params, read = ROWS[name]

    found = kept(stocked, task, DRAWN | params)

    assert {field: found[field] for field in read} == read


@pytest.mark.parametrize(
    ("entries", "read"),
    [
        ("Hypernet: hearts, Hypernet strength: 0.5", {"prompt": "a red circle<hypernet:hearts:0.5>"}),
        ("Clip skip: -2", {"override_settings": {}}),
        ("First pass size: 32x32, Denoising strength: 0.7", {"enable_hr": True, "width": 32, "hr_resize_x": 64}),
    ],
)
def test_every_entry_of_an_infotext_that_webui_reads_is_read(
    stocked: Cloud, entries: str, read: dict[str, Any]
) -> None:
    params = Txt2ImgParams.model_validate({"infotext": f"{WORDS}, {entries}"})

    filled = fill_in(params).model_dump()

    assert {field: filled[field] for field in read} == read
    kept(stocked, Task.TXT2IMG, {"infotext": f"{WORDS}, {entries}"})


@pytest.mark.parametrize(
    ("old", "new", "entry", "field"),
    [
        ("Sampler: Euler a", "Sampler: undefined", "Sampler", "sampler_name"),
        ("Sampler: Euler a", "Sampler: Euler, Schedule type: Turbo", "Schedule type", "scheduler"),
    ],
)
def test_a_bad_entry_of_an_infotext_is_named_with_the_field_that_goes_before_it(
    stocked: Cloud, old: str, new: str, entry: str, field: str
) -> None:
    body = {"task": "txt2img", "checkpoint": "dream", "params": {"infotext": WORDS.replace(old, new)}}

    problem = stocked.ask("POST", "/v1/jobs", body).problem(422, "invalid_params")
    mended = {**body, "params": {"infotext": WORDS.replace(old, new), "sampler_name": "Euler", "scheduler": "Karras"}}

    (error,) = problem["errors"]
    assert entry in error["message"]
    assert field in error["message"]
    assert len(json.dumps(problem)) < 2048
    stocked.ask("POST", "/v1/jobs", mended).ok(201)


@pytest.mark.parametrize("suffix", ["AVIF", "PNG", "WEBP", "JPEG"])
def test_pictures_to_caption_come_in_every_format_that_webui_reads(stocked: Cloud, suffix: str) -> None:
    stocked.asset("interrogator", "clip.zip")
    body = {"task": "interrogate_clip", "params": {"image": picture(suffix=suffix), "model": "clip"}}

    stocked.ask("POST", "/v1/jobs", body).ok(201)


@pytest.mark.parametrize(
    ("written", "pointer"),
    [
        ('"override_settings": {"sigma_max": NaN}', "/params/override_settings"),
        ('"override_settings": {"sigma_max": Infinity}', "/params/override_settings"),
        ('"cfg_scale": NaN', "/params/cfg_scale"),
        ('"cfg_scale": 1' + "0" * 400, "/params/cfg_scale"),
        ('"seed": 1' + "0" * 400, "/params/seed"),
        ('"steps": 1' + "0" * 5000, ""),
        ('"override_settings": {"sigma_max": 1' + "0" * 400 + "}", "/params/override_settings"),
        ('"override_settings": {"sdxl_crop_top": 1' + "0" * 400 + "}", "/params/override_settings"),
        ('"override_settings": {"eta_noise_seed_delta": 1e300}', "/params/override_settings"),
        ('"prompt": "<lora:crescentMoon:1e300>"', "/params/prompt"),
        ('"prompt": "(a:99999999)"', "/params/prompt"),
        ('"prompt": "a AND b :99999999"', "/params/prompt"),
        ('"prompt": "' + "(x)" * 400_000 + '"', "/params/prompt"),
    ],
)
def test_numbers_and_prompts_that_no_picture_can_have_are_refused_before_the_job_is_queued(
    stocked: Cloud, written: str, pointer: str
) -> None:
    body = '{"task": "txt2img", "checkpoint": "dream", "params": {' + written + "}}"

    answer = stocked.ask("POST", "/v1/jobs", body)

    problem = answer.json
    assert answer.status in (400, 422)
    assert all(error["pointer"].startswith(pointer) for error in problem["errors"])
    assert len(json.dumps(problem)) < 2048
    assert stocked.rows() == 0


ZEROS = {
    "hr_scale": -1, "hr_resize_x": -1, "hr_resize_y": -1, "hr_second_pass_steps": -1, "firstphase_width": -1,
    "firstphase_height": "auto", "denoising_strength": 75, "refiner_switch_at": 20,
}  # fmt: skip
"""Fields without effect, with values that no field takes."""
UNMASKED = {
    "mask_blur": -1, "mask_blur_x": -4, "mask_blur_y": "auto", "inpainting_fill": "original", "mask_round": "round",
    "inpaint_full_res": "Only masked", "inpaint_full_res_padding": -32, "inpainting_mask_invert": "Inpaint masked",
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "field"), [*((Task.TXT2IMG, field) for field in ZEROS), *((Task.IMG2IMG, field) for field in UNMASKED)]
)
def test_a_bad_value_of_a_field_without_effect_is_dropped_and_named(stocked: Cloud, task: Task, field: str) -> None:
    value = (ZEROS | UNMASKED)[field]
    params = DRAWN | (INIT if task is Task.IMG2IMG else {"enable_hr": "false"}) | {field: value}

    job = stocked.ask("POST", "/v1/jobs", {"task": task, "checkpoint": "dream", "params": params}).ok(201)

    (warning,) = job["warnings"]
    assert warning["pointer"] == f"/params/{field}"
    assert "has no effect and was ignored" in warning["message"]
    strict = {"task": task, "checkpoint": "dream", "params": params, "strict": True}
    stocked.ask("POST", "/v1/jobs", strict).problem(422, "invalid_params")


@pytest.mark.parametrize(
    ("task", "more"),
    [
        (Task.TXT2IMG, {"enable_hr": True, "denoising_strength": 75}),
        (Task.TXT2IMG, {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 0}),
        (Task.TXT2IMG, {"infotext": WORDS, "hr_scale": -1}),
        (Task.TXT2IMG, {"refiner_checkpoint": "dream", "refiner_switch_at": 20}),
        (Task.TXT2IMG, {"steps": 0, "hr_scale": -1}),
        (Task.IMG2IMG, {"denoising_strength": 75}),
        (Task.IMG2IMG, {"mask": picture(mode="L"), "mask_blur": -1}),
    ],
)
def test_a_bad_value_of_a_field_with_effect_is_refused(stocked: Cloud, task: Task, more: dict[str, Any]) -> None:
    params = DRAWN | (INIT if task is Task.IMG2IMG else {}) | more

    stocked.ask("POST", "/v1/jobs", {"task": task, "checkpoint": "dream", "params": params}).problem(
        422, "invalid_params"
    )


@pytest.mark.parametrize(
    ("params", "read"),
    [
        (
            {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 0, "hr_resize_x": 128, "hr_resize_y": 128},
            {"hr_resize_x": 128},
        ),
        (
            {"enable_hr": True, "denoising_strength": 0.5, "hr_scheduler": "None", "hr_sampler_name": "None"},
            {"hr_scheduler": None, "hr_sampler_name": None},
        ),
        ({"s_tmax": "Infinity"}, {"s_tmax": None}),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"enabled": "false", "model": "missing"}]}}}, {}),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"enabled": 0, "model": "missing", "module": "unknown"}]}}}, {}),
    ],
)
def test_zeros_words_and_texts_that_webui_reads_are_read(
    stocked: Cloud, params: dict[str, Any], read: dict[str, Any]
) -> None:
    found = kept(stocked, Task.TXT2IMG, DRAWN | params)

    assert {field: found[field] for field in read} == read


@pytest.mark.parametrize(
    ("given", "read"), [(1, True), (0, False), (1.0, True), ("1", True), ("0", False), (True, True)]
)
@pytest.mark.parametrize("option", ["webp_lossless", "tiling", "pad_cond_uncond", "img2img_color_correction"])
def test_switches_among_the_options_are_also_read_as_numbers(
    stocked: Cloud, option: str, given: object, read: bool
) -> None:
    found = kept(stocked, Task.TXT2IMG, DRAWN | {"override_settings": {option: given}})

    assert found["override_settings"] == {option: read}
