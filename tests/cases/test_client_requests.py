"""Whole requests of real clients, each drawn as a plain request that says the same, or refused with the reason.

The requests in `requests/` are bodies of `POST /v1/jobs` as the clients of that name sent them; those of `awslabs` are
the parameter documents that the public extension uploads from a WebUI 1.10.1.
"""

import base64
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save

from tests.cases.product import Product

REQUESTS = Path(__file__).parent / "requests"
SEED = 5
CIRCLE: dict[str, Any] = {"prompt": "a red circle", "steps": 4, "width": 64, "height": 64, "cfg_scale": 7, "seed": SEED}
LARGE: dict[str, Any] = {
    "prompt": "a large red circle on a blue background",
    "width": 64,
    "height": 64,
    "seed": SEED,
    "cfg_scale": 6,
}
EULER_A = {**LARGE, "steps": 4, "sampler_name": "Euler a"}
PHOTOSHOP = {**CIRCLE, "sampler_name": "Euler a"}
SCRIPTS = ("extra options", "hypertile", "comments", "refiner", "sampler", "seed")


def scripts(*titles: str) -> set[str]:
    return {f"alwayson_scripts/{title}" for title in titles}


def unit(name: str = "args/0") -> str:
    return f"alwayson_scripts/ControlNet/{name}"


@dataclass(frozen=True)
class Drawn:
    """Drawn, pixel for pixel, as the request with `plain` params.

    `kept` names fields whose values are taken from the request itself: pictures and scripts.
    """

    plain: dict[str, Any]
    kept: tuple[str, ...] = ()
    warned: set[str] = field(default_factory=set)
    """Fields of the params that the job's warnings name; no other is named."""
    unlike: dict[str, Any] | None = None
    """Changes to `plain` that would draw another picture: what was drawn before the mend."""
    pictures: int = 1
    told: str = ""
    """A part of the infotext."""
    size: tuple[int, int] | None = None
    """Of the first picture, where it is a grid, which no plain request draws."""
    drawn_with: dict[str, Any] = field(default_factory=dict)
    """Changes to the client's params once they were taken, so that a test takes little time."""


@dataclass(frozen=True)
class Refused:
    """Refused with 422; the message has all `words`. With `mended` in the params it is taken."""

    words: tuple[str, ...]
    mended: dict[str, Any]


EDGES = {"enabled": True, "module": "none", "model": "edges"}
CANNY = EDGES | {"module": "canny", "processor_res": 64, "threshold_a": 10, "threshold_b": 20, "guidance_start": 0.01}
PHOTOSHOP_OWN = {"selection_info", "original_prompt", "original_negative_prompt", "clip_skip", "use_sharp_mask",
                 "use_prompt_shortcut", "prompt_shortcut_ui_dict", "uniqueDocumentId", "mode"}  # fmt: skip
OUTPAINT_OWN = {"mask_blur", "mask", "init_images", "inpaint_full_res", "inpainting_fill", "outpainting_fill",
                "hr_square_aspect", "enable_refiner", "refiner_checkpoint", "hr_denoising_strength",
                "hr_fix_lock_px"}  # fmt: skip

CLIENTS: dict[str, Drawn | Refused] = {
    "client_sillytavern_txt2img": Drawn(
        CIRCLE | {"sampler_name": "DDIM", "scheduler": "normal"}, warned={"url", "auth", "clip_skip"}
    ),
    "client_photoshop_txt2img": Drawn(PHOTOSHOP, warned=PHOTOSHOP_OWN | {"mask_blur"}),
    "client_photoshop_inpaint": Drawn(
        PHOTOSHOP | {"denoising_strength": 0.7, "mask_blur": 4, "inpaint_full_res": False, "inpainting_fill": 1},
        kept=("init_images", "mask"),
        warned=PHOTOSHOP_OWN | {"mask_expansion", "expanded_mask"},
    ),
    "client_openoutpaint_dream": Drawn(CIRCLE | {"sampler_name": "DDIM"}, warned=OUTPAINT_OWN),
    "webui_own_scripts_txt2img": Drawn(
        CIRCLE | {"sampler_name": "DPM++ 2M"},
        warned={"seed_enable_extras"}
        | scripts("Comments", "Extra options", "Hypertile", "Refiner", "Sampler", "Seed"),
    ),
    "adetailer_off": Drawn(EULER_A, warned=scripts("ADetailer")),
    "controlnet_mask_empty_text": Drawn(EULER_A | {"unit": EDGES}, unlike={"unit": None}, pictures=2),
    "mask_empty_text": Drawn(EULER_A | {"denoising_strength": 0.5}, kept=("init_images",), warned={"mask"}),
    "controlnet_webuiapi_default_thresholds": Drawn(
        EULER_A | {"unit": EDGES | {"resize_mode": "Resize and Fill"}},
        warned={unit("args/0/threshold_a"), unit("args/0/threshold_b")},
        unlike={"unit": None},
        pictures=2,
    ),
    "controlnet_forge_unit": Drawn(
        EULER_A | {"unit": EDGES},
        warned={unit(f"args/0/{name}") for name in (
            "batch_image_dir", "batch_input_gallery", "batch_mask_dir", "batch_mask_gallery", "generated_image",
            "image_fg", "mask_image_fg", "use_preview_as_input",
        )},
        unlike={"unit": None},
        pictures=2,
    ),
    "controlnet_old_unit": Drawn(
        EULER_A | {"unit": CANNY}, warned={unit("args/0/guessmode")}, unlike={"unit": EDGES}, pictures=2
    ),
    "controlnet_flat_arguments": Drawn(
        EULER_A | {"unit": EDGES},
        warned=scripts("ControlNet") | {unit(f"args/0/{name}") for name in (
            "threshold_a", "threshold_b", "rgbbgr_mode", "is_img2img", "guess_mode", "invert_image",
        )},
        unlike={"unit": None},
        pictures=2,
    ),
    "infotext_noise_multiplier": Drawn(
        LARGE | {"steps": 6, "denoising_strength": 0.9, "override_settings": {"initial_noise_multiplier": 0.6}},
        kept=("init_images",),
        warned={"infotext"},
        unlike={"override_settings": {}},
        told="Noise multiplier: 0.6",
    ),
    "infotext_first_pass_size": Drawn(
        EULER_A | {"steps": 6, "enable_hr": True, "hr_resize_x": 128, "hr_resize_y": 128, "denoising_strength": 0.7},
        unlike={"enable_hr": False, "width": 128, "height": 128},
    ),
    "infotext_hypernet": Drawn(
        EULER_A | {"steps": 6, "prompt": EULER_A["prompt"] + "<hypernet:hearts:1.0>"},
        unlike={"prompt": EULER_A["prompt"]},
    ),
    "infotext_clip_skip_minus_2": Drawn(
        LARGE | {"steps": 4, "sampler_name": "DPM++ 2M", "scheduler": "Karras", "negative_prompt": "blurry"},
        unlike={"override_settings": {"CLIP_stop_at_last_layers": 2}},
    ),
    "infotext_sampler_undefined": Refused(("Sampler", "Undefined", "sampler_name"), {"sampler_name": "Euler"}),
    "infotext_scheduler_unknown": Refused(("Schedule type", "Turbo", "scheduler"), {"scheduler": "Karras"}),
    "lora_by_output_name": Drawn(
        EULER_A | {"prompt": "a large yellow moon on a blue background <lora:renamed_by_user:1>"},
        unlike={"prompt": "a large yellow moon on a blue background"},
    ),
    "avif_init_image": Drawn(EULER_A | {"denoising_strength": 0.5, "png": "init_images"}, kept=("init_images",)),
    "fractional_hr_second_pass_steps": Drawn(
        EULER_A | {"steps": 5, "enable_hr": True, "hr_scale": 1, "hr_second_pass_steps": 2, "denoising_strength": 0.75},
        warned={"hr_second_pass_steps"},
        unlike={"hr_second_pass_steps": 3},
    ),
    "styles_none": Drawn(EULER_A, warned={"styles"}),
    "range_width_2560": Drawn(
        EULER_A | {"steps": 1, "width": 2560}, warned={"width"}, told="Size: 2560x64"
    ),
    "range_steps_200_batch_12": Drawn(
        EULER_A | {"steps": 1, "batch_size": 12}, pictures=12, drawn_with={"steps": 1}
    ),
    "late_mask_size_not_of_8": Drawn(
        EULER_A | {"width": 101, "height": 77, "inpaint_full_res": False, "denoising_strength": 0.5},
        kept=("init_images", "mask"),
        told="Size: 101x77",
    ),
    "sampler_suffix_scheduler_automatic": Drawn(
        EULER_A | {"steps": 6, "sampler_name": "DPM++ 2M SDE", "scheduler": "exponential"},
        unlike={"scheduler": "karras"},
    ),
    "script_xyz_plot": Drawn(EULER_A | {"steps": 2}, told="X Type: Steps", size=(128, 73)),
    "script_sd_upscale": Refused(
        ("tiles that overlap by 64 pixels", "less than 64"), {"script_args": ["", 16, "Lanczos", 2]}
    ),
    "options_without_effect": Drawn(
        EULER_A,
        warned={f"override_settings/{name}" for name in (
            "samples_filename_pattern", "show_progress_every_n_steps", "live_previews_enable", "save_to_dirs",
        )},
    ),
    "prompt_edit_beside_stray_colons": Drawn(
        EULER_A | {"steps": 8, "prompt": "photo of (a red circle:a blue star:0.5:0.90909090909):: on white"},
        unlike={"prompt": "photo of [a red circle:a blue star:0.5] on white"},
    ),
    "awslabs_txt2img": Drawn(
        CIRCLE | {"steps": 6, "width": 128, "height": 96, "sampler_name": "DPM++ 2M", "n_iter": 2},
        pictures=2,
        warned=scripts(*SCRIPTS),
    ),
}  # fmt: skip
INPAINTED: dict[str, Any] = {"mask_blur": 4, "inpaint_full_res": False, "inpainting_fill": 1}
DOCUMENTS: dict[str, Drawn | Refused] = {
    f"awslabs_img2img_mode{mode}": Drawn(
        {"prompt": "a red circle on a blue background <lora:moon:0.8>", "steps": 6, "width": 128, "height": 96,
         "seed": SEED, "cfg_scale": 7, "sampler_name": "DPM++ 2M", **more},
        kept=("init_images", *(("mask",) if mode else ())),
        warned=scripts(*SCRIPTS),
    )
    for mode, more in {0: {}, 2: INPAINTED, 3: INPAINTED}.items()
}  # fmt: skip
ROWS = CLIENTS | DOCUMENTS
OTHER_TASKS = {"avif_interrogate", "extras_comfyui_chunks", "extras_novelai"}


def request(name: str) -> dict[str, Any]:
    """The client's body, with a seed where it has none of its own."""
    document: dict[str, Any] = json.loads((REQUESTS / f"{name}.json").read_bytes())
    if name.startswith("awslabs"):
        task = "img2img" if "img2img" in name else "txt2img"
        document["prompt"] = document["prompt"].replace("mylora", "moon")
        document = {"task": task, "checkpoint": "shapes", "params": document}
    if "infotext" not in name and not name.startswith(("extras", "avif_interrogate")):
        document["params"]["seed"] = SEED
    return document


def as_png(text: str) -> str:
    """The picture in base64, as PNG."""
    with Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2] or text))) as image:
        file = io.BytesIO()
        image.convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def plainly(row: Drawn, body: dict[str, Any], changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plain request that `row` names, with pictures of the client's own."""
    sent = body["params"]
    params = {**row.plain, **{name: sent[name] for name in row.kept}, **(changes or {})}
    if params.pop("png", None):
        params["init_images"] = [as_png(text) for text in params["init_images"]]
    if one := params.pop("unit", None):
        (first, *rest) = sent["alwayson_scripts"]["ControlNet"]["args"]
        held = rest[5]["image"] if rest else first.get("image") or first.get("input_image")
        params["alwayson_scripts"] = {"ControlNet": {"args": [one | {"image": held}]}}
    return {**body, "params": params}


@pytest.fixture(scope="module")
def stocked(product: Product, weights: Path) -> Product:
    with safe_open(weights / "moon.safetensors", "pt") as moon:
        header = {**moon.metadata(), "ss_output_name": "crescentMoon"}
    renamed = save(load_file(weights / "moon.safetensors"), metadata=header)
    for kind, name, data in (
        ("lora", "renamed_by_user.safetensors", renamed),
        ("hypernetwork", "hearts.pt", (weights / "hearts.pt").read_bytes()),
        ("interrogator", "interrogator.safetensors", (weights / "interrogator.safetensors").read_bytes()),
    ):
        assert product.upload(kind, name, data)["status"] == "active"
    return product


def test_every_request_has_a_row() -> None:
    assert {path.stem for path in REQUESTS.glob("*.json")} == set(ROWS) | OTHER_TASKS


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if isinstance(row, Drawn)])
def test_a_clients_request_is_drawn_as_the_plain_one_and_says_what_it_ignored(stocked: Product, name: str) -> None:
    row, body = ROWS[name], request(name)
    assert isinstance(row, Drawn)

    job = stocked.submit(body)
    result = stocked.run(stocked.submit({**body, "params": body["params"] | row.drawn_with}) if row.drawn_with else job)
    pictures = [stocked.picture(image.key) for image in result.images]

    assert {warning["pointer"].removeprefix("/params/") for warning in job["warnings"]} == row.warned
    assert len(pictures) == row.pictures
    assert row.told in result.images[0].infotext
    if row.size is not None:
        assert pictures[0].size == row.size
        return
    drawn = np.asarray(pictures[0].convert("RGB"))
    assert np.array_equal(drawn, stocked.pixels(plainly(row, body)))
    if row.unlike is not None:
        assert not np.array_equal(drawn, stocked.pixels(plainly(row, body, row.unlike)))


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if isinstance(row, Refused)])
@pytest.mark.parametrize("rehearsal", [False, True])
def test_a_request_that_no_webui_draws_is_refused_with_what_mends_it(
    stocked: Product, name: str, rehearsal: bool
) -> None:
    row, body = ROWS[name], request(name)
    assert isinstance(row, Refused)
    mended = {**body, "params": body["params"] | row.mended}

    problem = stocked.cloud.ask("POST", "/v1/jobs", body | {"dry_run": rehearsal}).problem(422, "invalid_params")

    assert all(word in problem["errors"][0]["message"] for word in row.words)
    assert len(json.dumps(problem)) < 2048
    assert stocked.draw(mended)[0]


@pytest.mark.parametrize("name", ["client_photoshop_inpaint"])
def test_a_strict_refusal_of_many_fields_is_short(stocked: Product, name: str) -> None:
    answer = stocked.cloud.ask("POST", "/v1/jobs", request(name) | {"strict": True})

    assert len(json.dumps(answer.problem(422, "invalid_params"))) < 2048


def test_avif_interrogate(stocked: Product) -> None:
    body = request("avif_interrogate") | {"checkpoint": None}
    body["params"].pop("model")
    plain = {**body, "params": {**body["params"], "image": as_png(body["params"]["image"])}}

    caption = stocked.run(stocked.submit(body)).caption

    assert caption
    assert caption == stocked.run(stocked.submit(plain)).caption


def test_extras_comfyui_chunks(stocked: Product) -> None:
    body = request("extras_comfyui_chunks")
    with Image.open(io.BytesIO(base64.b64decode(body["params"]["image"]))) as source:
        before = {name: source.info[name] for name in ("prompt", "workflow")}

    ((picture,), _) = stocked.draw(body)

    assert {name: picture.info[name] for name in before} == before
    assert "Postprocess upscale by: 2" in picture.info["postprocessing"]
    assert picture.size == (64, 64)


def test_extras_novelai(stocked: Product) -> None:
    body = request("extras_novelai")
    with Image.open(io.BytesIO(base64.b64decode(body["params"]["image"]))) as source:
        before = {name: source.info[name] for name in ("Title", "Software", "Source", "Description", "Comment")}

    ((picture,), _) = stocked.draw(body)

    assert {name: picture.info[name] for name in before} == before
    assert "Sampler: Euler a" in picture.info["parameters"]
    assert "Clip skip: 2, ENSD: 31337" in picture.info["parameters"]
