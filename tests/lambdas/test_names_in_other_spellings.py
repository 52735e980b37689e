"""A name in another case means what it means in its own; a name that nothing has gets a suggestion."""

from typing import Any

import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, Txt2ImgParams
from tests.lambdas.cloud import PNG, Cloud

DRAWN: dict[str, Any] = {"prompt": "a red circle", "steps": 4, "width": 64, "height": 64}
UNIT: dict[str, Any] = {"module": "none", "model": "edges", "image": PNG}

FILES = (
    ("checkpoint", "Anime.ckpt"),
    ("checkpoint", "photo-inpainting.safetensors"),
    ("controlnet", "control_v11p_sd15_Canny.safetensors"),
    ("controlnet", "edges.safetensors"),
    ("hypernetwork", "Hearts.pt"),
    ("lora", "MyStyle.safetensors"),
    ("upscaler", "4x-UltraSharp.pth"),
    ("upscaler", "RealESRGAN_x4plus.pth"),
    ("vae", "vae-ft-mse.safetensors"),
)


def hires(upscaler: str) -> dict[str, Any]:
    return {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5, "hr_upscaler": upscaler}


def controlled(**unit: object) -> dict[str, Any]:
    return {"alwayson_scripts": {"ControlNet": {"args": [UNIT | unit]}}}


def extras(**more: object) -> dict[str, Any]:
    return {"image": PNG, "upscaling_resize": 2, **more}


@pytest.fixture
def stocked(cloud: Cloud) -> Cloud:
    cloud.checkpoint()
    for kind, name in FILES:
        cloud.asset(kind, name)
    cloud.asset("lora", "renamed.safetensors", alias="crescentMoon")
    return cloud


FOUND: list[tuple[dict[str, Any], str]] = [
    (controlled(model="EDGES"), "edges.safetensors"),
    (controlled(model="Edges [0123abcd]"), "edges.safetensors"),
    (controlled(model="edges.SafeTensors"), "edges.safetensors"),
    (controlled(model="control_v11p_sd15_canny [d14c016b]"), "control_v11p_sd15_Canny.safetensors"),
    ({"prompt": "a <lora:mystyle:1>"}, "MyStyle.safetensors"),
    ({"prompt": "a <lora:MYSTYLE.safetensors:1>"}, "MyStyle.safetensors"),
    ({"prompt": "a <lora:CrescentMoon:1>"}, "renamed.safetensors"),
    ({"prompt": "a <hypernet:hearts:1>"}, "Hearts.pt"),
    ({"override_settings": {"sd_lora": "mystyle"}}, "MyStyle.safetensors"),
    ({"override_settings": {"sd_hypernetwork": "hearts"}}, "Hearts.pt"),
    ({"override_settings": {"sd_vae": "VAE-FT-MSE"}}, "vae-ft-mse.safetensors"),
    ({"refiner_checkpoint": "anime", "refiner_switch_at": 0.5}, "Anime.ckpt"),
    ({"refiner_checkpoint": "ANIME.CKPT", "refiner_switch_at": 0.5}, "Anime.ckpt"),
    (hires("4X-ultrasharp"), "4x-UltraSharp.pth"),
    (hires("r-esrgan 4X+"), "RealESRGAN_x4plus.pth"),
    (hires("realesrgan_x4plus"), "RealESRGAN_x4plus.pth"),
]


@pytest.mark.parametrize(("params", "name"), FOUND)
def test_a_file_is_found_by_its_name_in_another_case(stocked: Cloud, params: dict[str, Any], name: str) -> None:
    body = {"task": "txt2img", "checkpoint": "dream", "params": DRAWN | params}

    job = stocked.ask("POST", "/v1/jobs", body).ok(201)

    assert name in [model["name"] for model in job["models"]]
    assert job["warnings"] == []


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (controlled(model="canny"), "control_v11p_sd15_Canny.safetensors"),
        (controlled(model="v11p_SD15"), "control_v11p_sd15_Canny.safetensors"),
        ({"refiner_checkpoint": "photo", "refiner_switch_at": 0.5}, "photo-inpainting.safetensors"),
    ],
)
def test_a_part_of_the_name_finds_what_webui_finds_by_it_and_says_so(
    stocked: Cloud, params: dict[str, Any], name: str
) -> None:
    body = {"task": "txt2img", "checkpoint": "dream", "params": DRAWN | params}

    job = stocked.ask("POST", "/v1/jobs", body).ok(201)

    assert name in [model["name"] for model in job["models"]]
    assert [name in warning["message"] for warning in job["warnings"]] == [True]


def test_a_name_in_two_cases_is_ambiguous_but_for_the_one_that_is_exact(stocked: Cloud) -> None:
    stocked.asset("lora", "mySTYLE.safetensors")

    def sent(name: str) -> Any:
        params = DRAWN | {"prompt": f"a <lora:{name}:1>"}
        return stocked.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream", "params": params})

    assert [model["name"] for model in sent("mySTYLE").ok(201)["models"]][1:] == ["mySTYLE.safetensors"]
    assert "matches several assets" in sent("mystyle").problem(422, "invalid_params")["errors"][0]["message"]


@pytest.mark.parametrize("name", ["mystyle", "MYSTYLE.safetensors"])
def test_a_strangers_file_is_not_found_by_a_name_in_another_case(cloud: Cloud, name: str) -> None:
    cloud.checkpoint()
    cloud.asset("lora", "MyStyle.safetensors", owner="bob", trusted=False)
    params = DRAWN | {"prompt": f"a <lora:{name}:1>"}

    problem = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream", "params": params})

    assert "did you mean" in problem.problem(404, "asset_not_found")["errors"][0]["message"]


@pytest.mark.parametrize(
    ("task", "params", "read"),
    [
        (Task.TXT2IMG, {"sampler_name": "euler A"}, "Euler a"),
        (Task.TXT2IMG, {"sampler_name": " dpm++ 2m karras"}, "DPM++ 2M"),
        (Task.TXT2IMG, {"sampler_index": "DDIM cfg++"}, "DDIM CFG++"),
        (Task.TXT2IMG, {"scheduler": "KARRAS"}, "karras"),
        (Task.TXT2IMG, {"scheduler": "sgm uniform "}, "sgm_uniform"),
        (Task.TXT2IMG, hires("LATENT (Bicubic)"), "Latent (bicubic)"),
        (Task.TXT2IMG, hires("lanczos"), "Lanczos"),
        (Task.TXT2IMG, {"override_settings": {"upscaler_for_img2img": "NEAREST"}}, "Nearest"),
        (Task.TXT2IMG, {"override_settings": {"sd_vae": "automatic"}}, "Automatic"),
        (Task.TXT2IMG, {"override_settings": {"sd_vae": "NONE"}}, "None"),
        (Task.EXTRA_SINGLE_IMAGE, extras(upscaler_1="lanczos"), "Lanczos"),
        (Task.TXT2IMG, controlled(module="CANNY"), "canny"),
        (Task.TXT2IMG, controlled(module="Invert (from white bg & black line) "), "invert"),
        (Task.TXT2IMG, controlled(resize_mode="resize and fill"), "Resize and Fill"),
        (Task.TXT2IMG, controlled(control_mode="balanced"), "Balanced"),
        (Task.TXT2IMG, controlled(hr_option="both"), "Both"),
    ],
)
def test_the_product_s_own_names_are_read_in_any_case(
    stocked: Cloud, task: Task, params: dict[str, Any], read: str
) -> None:
    whole = params if "image" in params else DRAWN | params
    stocked.ask("POST", "/v1/jobs", {"task": task, "checkpoint": "dream", "params": whole}).ok(201)

    model = PARAMS_BY_TASK[task].model_validate(whole)

    kept: list[Any] = [*model.model_dump().values()]
    if isinstance(model, Txt2ImgParams):
        choice = model.sampler_choice()
        kept += [choice.sampler, choice.schedule, *model.options.model_dump().values()]
        kept += [value for unit in model.controlnet_units() for value in unit.model_dump().values()]
    assert read in kept


@pytest.mark.parametrize(
    ("params", "suggested"),
    [
        ({"sampler_name": "DPM++2M"}, "DPM++ 2M"),
        ({"scheduler": "Karas"}, "Karras"),
        (hires("Latent(nearest)"), "Latent (nearest)"),
        (hires("UltraSharp"), "4x-UltraSharp"),
        (controlled(module="cany"), "canny"),
        (controlled(model="edgs"), "edges"),
        ({"prompt": "a <lora:MyStile:1>"}, "MyStyle"),
        ({"override_settings": {"sd_vae": "vae-ft-mse-840"}}, "vae-ft-mse"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest(
    stocked: Cloud, params: dict[str, Any], suggested: str
) -> None:
    answer = stocked.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream", "params": DRAWN | params})

    assert answer.status in (404, 422)
    assert f"did you mean '{suggested}'" in answer.json["errors"][0]["message"]
