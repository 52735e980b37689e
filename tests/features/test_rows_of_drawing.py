"""Rows 34 to 45 of the survey: what can be drawn, and on which machines."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generate_on_cloud.cli.dynamic_prompts import prompts_of
from generate_on_cloud.cli.picture_files import pictures_in
from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from generate_on_cloud.contract.capabilities import Capabilities
from generate_on_cloud.webui.png_info import png_info
from infrastructure.config import ConfigError, StageConfig
from tests.lambdas.cloud import PNG, Cloud, img2img, txt2img
from tests.lambdas.fleet import NAME, Fleet

ROOT = Path(__file__).resolve().parents[2]


def capabilities(cloud: Cloud) -> Capabilities:
    return Capabilities.model_validate(cloud.ask("GET", "/v1/capabilities", user=None).ok())


def accepted(cloud: Cloud, body: dict[str, object]) -> dict[str, Any]:
    view: dict[str, Any] = cloud.ask("POST", "/v1/jobs", body | {"strict": True}).ok(201)
    return view


def test_row_34_controlnets_units_are_taken_and_what_is_not_there_is_named(cloud: Cloud) -> None:
    cloud.asset("controlnet", "edges.safetensors", architecture="sd1")
    unit = {"module": "canny", "model": "edges", "image": PNG}

    taken = accepted(cloud, txt2img(alwayson_scripts={"ControlNet": {"args": [unit]}}))

    assert "edges.safetensors" in [model["name"] for model in taken["models"]]
    for module, status, named in (("depth_midas", 404, "dpt_hybrid-midas"), ("depth_zoe", 422, "depth_zoe")):
        units = [{**unit, "module": module}]
        refused = cloud.ask("POST", "/v1/jobs", txt2img(alwayson_scripts={"ControlNet": {"args": units}}))
        assert refused.status == status
        assert named in refused.text


def test_row_35_all_samplers_and_schedules_of_webui_are_taken(cloud: Cloud) -> None:
    able = capabilities(cloud)

    assert (len(able.samplers), len(able.schedulers)) == (20, 12)
    for sampler in able.samplers:
        accepted(cloud, txt2img(sampler_name=sampler.name))
    for scheduler in able.schedulers:
        accepted(cloud, txt2img(sampler_name="Euler", scheduler=scheduler.label))


@pytest.mark.parametrize("fill", range(4))
@pytest.mark.parametrize("whole", [True, False])
def test_row_36_every_mode_of_inpainting_is_taken(cloud: Cloud, fill: int, whole: bool) -> None:
    mode = {"mask": PNG, "inpainting_fill": fill, "inpaint_full_res": whole, "inpainting_mask_invert": 1}

    assert accepted(cloud, img2img(**mode))["status"] == "queued"


def test_row_37_a_sketch_becomes_picture_and_mask_in_python_and_has_a_canvas_in_the_console() -> None:
    image = Image.new("RGB", (32, 32), "blue")
    painted = image.copy()
    painted.paste("red", (8, 8, 16, 16))

    sketch = derive_inpaint_sketch(painted=painted, original=image)

    assert sketch.mask.getbbox() == (8, 8, 16, 16)
    assert list((ROOT / "console/src/canvas").glob("*.tsx"))


@pytest.mark.parametrize(
    ("task", "kind", "file"),
    [("interrogate_clip", "interrogator", "clip.safetensors"), ("interrogate_deepbooru", "tagger", "tags.safetensors")],
)
def test_row_38_pictures_are_described_by_clip_and_by_deepbooru(cloud: Cloud, task: str, kind: str, file: str) -> None:
    cloud.asset(kind, file)

    view = accepted(cloud, {"task": task, "params": {"image": PNG}})

    assert [model["name"] for model in view["models"]] == [file]


def test_row_39_a_folder_and_choices_in_the_prompt_make_many_jobs(tmp_path: Path) -> None:
    for name in ("b.png", "a.webp", "note.txt"):
        (tmp_path / name).write_bytes(b"x")

    assert [path.name for path in pictures_in([tmp_path])] == ["a.webp", "b.png"]
    assert prompts_of("a {red|green} {cat|fox}") == ["a red cat", "a red fox", "a green cat", "a green fox"]


def test_row_40_txt2img_takes_webuis_own_request(cloud: Cloud) -> None:
    body = txt2img(
        negative_prompt="blurred", width=640, height=448, batch_size=2, n_iter=2, enable_hr=True, hr_scale=2,
        hr_upscaler="Latent", denoising_strength=0.5, override_settings={"CLIP_stop_at_last_layers": 2},
    )  # fmt: skip

    assert accepted(cloud, body)["warnings"] == []


def test_row_41_extras_take_one_picture_or_many_and_png_info_reads_what_was_drawn(cloud: Cloud) -> None:
    upscaler = {"upscaler_1": "Lanczos", "upscaling_resize": 2}
    cloud.put("x", b"")
    many = {"imageList": [{"data": PNG, "name": "a.png"}, {"data": PNG}], **upscaler}
    broken = {"imageList": [{"data": PNG}, {"data": "bm90IGEgcGljdHVyZQ=="}], **upscaler}

    accepted(cloud, {"task": "extra_single_image", "params": {"image": PNG, **upscaler}})
    accepted(cloud, {"task": "extra_batch_images", "params": many})
    refused = cloud.ask("POST", "/v1/jobs", {"task": "extra_batch_images", "params": broken})
    texts, drawn = PngInfo(), io.BytesIO()
    texts.add_text("parameters", "a fox\nSteps: 20, Sampler: Euler, Seed: 7")
    Image.open(io.BytesIO(base64.b64decode(PNG))).save(drawn, format="png", pnginfo=texts)
    info = png_info(drawn.getvalue())

    assert refused.problem(422, "invalid_params")["errors"][0]["pointer"] == "/params/imageList/1/data"
    assert (info.prompt, info.parameters["Seed"]) == ("a fox", "7")


def test_row_42_an_endpoint_sleeps_at_zero_and_a_job_says_that_it_is_starting(cloud: Cloud) -> None:
    job_id = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)["job_id"]

    view = cloud.ask("GET", f"/v1/jobs/{job_id}").ok()

    assert StageConfig().min_instances == 0
    assert view["progress"]["phase"] == "starting"
    assert view["starting_since"] is not None


def test_row_43_a_new_container_can_load_its_checkpoint_before_the_first_job() -> None:
    # That the second job loads nothing: test_on_a_local_cloud.py.
    assert StageConfig.from_context({"preload": f"{'0' * 8}-0000-0000-0000-{'0' * 12}/dream.safetensors"}).preload


def test_row_44_a_job_goes_where_it_says_else_to_the_default_else_to_the_least_loaded(fleet: Fleet) -> None:
    # That a warm checkpoint decides among equals: lambdas/test_endpoint_choice.py.
    fleet.ready()

    def sent(**fields: object) -> object:
        return fleet.cloud.ask("POST", "/v1/jobs", txt2img() | fields).ok(201)["endpoint"]

    for _ in range(4):
        fleet.cloud.job(endpoint=NAME)
    assert (sent(), sent(endpoint="fast")) == ("artists", NAME)
    fleet.cloud.ask("PATCH", "/v1/me", {"default_endpoint": "fast"}).ok()
    assert (sent(), sent(endpoint="artists")) == (NAME, "artists")


def test_row_45_spot_capacity_is_not_there_and_who_asks_for_it_is_told() -> None:
    with pytest.raises(ConfigError, match="unknown context spot"):
        StageConfig.from_context({"spot": "true"})
