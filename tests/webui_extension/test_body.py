"""The API's body from the values of a tab."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.selectable_scripts import titles
from generate_on_cloud.webui.prompt.extra_networks import strip_comments as strip_in_the_cloud
from webui_extension.core.body import Host, Tab, build
from webui_extension.core.errors import PanelError
from webui_extension.core.overrides import DEFAULTS
from webui_extension.core.prompts import missing_embeddings, resolve_loras, strip_comments
from webui_extension.core.scripts import SELECTABLE, ScriptValues

NOT_FROM_SETTINGS = {
    "sd_model_checkpoint", "sd_vae",  # chosen in the panel
    "samples_format", "jpeg_quality", "webp_lossless", "enable_pnginfo",  # the host saves the pictures itself
}  # fmt: skip
SAMPLER = ScriptValues("Sampler", (20, "DPM++ 2M", "Karras"))
SEED = ScriptValues("Seed", (42, False, -1, 0, 0, 0))
TXT2IMG: dict[str, Any] = {
    "prompt": "a star", "negative_prompt": "moon", "prompt_styles": [], "n_iter": 2.0, "batch_size": 1.0,
    "cfg_scale": 7.5, "height": 64.0, "width": 96.0, "enable_hr": False, "denoising_strength": 0.7, "hr_scale": 2.0,
    "hr_upscaler": "Latent", "hr_second_pass_steps": 0.0, "hr_resize_x": 0.0, "hr_resize_y": 0.0,
    "hr_checkpoint_name": "Use same checkpoint", "hr_sampler_name": "Use same sampler",
    "hr_scheduler": "Use same scheduler", "hr_prompt": "", "hr_negative_prompt": "", "override_settings_texts": [],
}  # fmt: skip
IMG2IMG: dict[str, Any] = {
    "mode": 0, "prompt": "a star", "negative_prompt": "", "prompt_styles": [], "init_img": Image.new("RGB", (50, 30)),
    "sketch": None, "init_img_with_mask": None, "inpaint_color_sketch": None, "inpaint_color_sketch_orig": None,
    "init_img_inpaint": None, "init_mask_inpaint": None, "mask_blur": 4, "mask_alpha": 0, "inpainting_fill": 1,
    "n_iter": 1, "batch_size": 1, "cfg_scale": 7, "image_cfg_scale": 1.5, "denoising_strength": 0.5,
    "selected_scale_tab": 0, "height": 64, "width": 64, "scale_by": 1, "resize_mode": 1, "inpaint_full_res": 1,
    "inpaint_full_res_padding": 32, "inpainting_mask_invert": 0, "override_settings_texts": [],
}  # fmt: skip
PAINTED = {"image": Image.new("RGB", (50, 30)), "mask": Image.new("RGB", (50, 30), "white")}


def txt2img(*scripts: ScriptValues, selected: ScriptValues | None = None, **changes: Any) -> Tab:
    return Tab("txt2img", {**TXT2IMG, **changes}, (SAMPLER, SEED, *scripts), selected)


def img2img(*scripts: ScriptValues, **changes: Any) -> Tab:
    return Tab("img2img", {**IMG2IMG, **changes}, (SAMPLER, SEED, *scripts))


def inpaint(*scripts: ScriptValues, **changes: Any) -> Tab:
    return img2img(*scripts, mode=2, init_img_with_mask=PAINTED, **changes)


TABS: dict[str, Tab] = {
    "txt2img": txt2img(),
    "hires": txt2img(enable_hr=True, hr_prompt="a big star"),
    "img2img": img2img(),
    "inpaint": inpaint(),
    "inpaint upload": img2img(
        mode=4, init_img_inpaint=PAINTED["image"], init_mask_inpaint=PAINTED["mask"].convert("RGBA")
    ),
    "inpaint sketch": img2img(mode=3, inpaint_color_sketch=PAINTED["mask"], inpaint_color_sketch_orig=PAINTED["image"]),
}


@pytest.mark.parametrize("tab", TABS.values(), ids=TABS)
def test_the_contract_accepts_what_a_tab_sends(tab: Tab) -> None:
    body = json.loads(json.dumps(build(tab, Host())))
    params = (Txt2ImgParams if tab.task == "txt2img" else Img2ImgParams).model_validate(body)

    assert not params.unsupported()
    assert (params.steps, params.sampler_name, params.scheduler, params.seed) == (20, "DPM++ 2M", "Karras", 42)


def test_only_the_fields_of_the_selected_mode_are_sent() -> None:
    assert "mask" not in build(img2img(init_img_with_mask=PAINTED), Host())
    assert "enable_hr" not in build(txt2img(), Host())
    assert build(inpaint(inpaint_full_res=0), Host())["inpaint_full_res"] is False


SEEDS: dict[str, tuple[Sequence[Any], dict[str, Any]]] = {
    "extra is off": ((7, False, 8, 0.5, 64, 64), {"seed": 7}),
    "variation": ((7, True, 8, 0.5, 0, 0), {"seed": 7, "subseed": 8, "subseed_strength": 0.5}),
    "variation of strength 0": ((7, True, 8, 0, 0, 0), {"seed": 7}),
    "resized": ((7, True, 8, 0, 64, 32), {"seed": 7, "seed_resize_from_w": 64, "seed_resize_from_h": 32}),
    "half a size": ((7, True, 8, 0, 64, 0), {"seed": 7}),
    "empty": (("", False, -1, 0, 0, 0), {"seed": -1}),
}


@pytest.mark.parametrize(("args", "expected"), SEEDS.values(), ids=SEEDS)
def test_seed_values_count_as_in_the_host(args: Sequence[Any], expected: dict[str, Any]) -> None:
    body = build(Tab("txt2img", TXT2IMG, (SAMPLER, ScriptValues("Seed", args))), Host())

    assert {name: value for name, value in body.items() if "seed" in name} == expected


def test_a_refiner_is_sent_when_it_is_on() -> None:
    off, on = (ScriptValues("Refiner", (switch, "fine.safetensors [0123]", 0.8)) for switch in (False, True))

    assert "refiner_checkpoint" not in build(txt2img(off), Host())
    assert build(txt2img(on), Host())["refiner_checkpoint"] == "fine.safetensors [0123]"


@pytest.mark.parametrize(
    ("factor", "forge", "size"), [(0.5, False, (25, 15)), (0.5, True, (24, 8)), (2, False, (100, 60))]
)
def test_resize_by_is_the_hosts_arithmetic(factor: float, forge: bool, size: tuple[int, int]) -> None:
    canvases = {"init_img_with_mask_fg": None} if forge else {}

    body = build(img2img(selected_scale_tab=1, scale_by=factor, **canvases), Host())

    assert (body["width"], body["height"]) == size


UNIT = {"enabled": True, "module": "canny", "model": "edges", "weight": 0.8, "image": np.zeros((8, 8, 3), np.uint8)}
SCRIPTS_ON = {
    "soft inpainting": (inpaint, ScriptValues("Soft Inpainting", (True, 1, 0.5, 4, 0, 0.5, 2)), "Soft Inpainting"),
    "ControlNet": (txt2img, ScriptValues("ControlNet", (UNIT, {**UNIT, "enabled": False})), "ControlNet"),
}


@pytest.mark.parametrize(("make", "script", "title"), SCRIPTS_ON.values(), ids=SCRIPTS_ON)
def test_scripts_that_the_cloud_has_are_sent(make: Callable[..., Tab], script: ScriptValues, title: str) -> None:
    body = build(make(script), Host())

    assert list(body["alwayson_scripts"]) == [title]
    assert not (Img2ImgParams if make is inpaint else Txt2ImgParams).model_validate(body).unsupported()


def test_only_units_that_are_on_are_sent_with_their_picture() -> None:
    (unit,) = build(txt2img(SCRIPTS_ON["ControlNet"][1]), Host())["alwayson_scripts"]["ControlNet"]["args"]

    assert unit["image"].startswith("data:image/png;base64,")
    assert unit["weight"] == 0.8


OFF = [
    ScriptValues("FreeU", (False, 1.1, 1.2)), ScriptValues("Hypertile", ()), ScriptValues("Comments", ()),
    ScriptValues("Soft Inpainting", (False, 1, 0.5)), ScriptValues("A notebook", ("", None, [])),
    ScriptValues("Never OOM Integrated", (False, False)),
]  # fmt: skip


@pytest.mark.parametrize("script", OFF, ids=lambda script: script.title)
def test_scripts_that_are_off_are_not_sent(script: ScriptValues) -> None:
    assert "alwayson_scripts" not in build(inpaint(script), Host())


def test_scripts_that_are_on_and_unknown_are_all_named() -> None:
    tab = txt2img(
        ScriptValues("FreeU", (True, 1.1)),
        ScriptValues("Face maker", ({"enabled": True},)),
        selected=ScriptValues("My own script", (1,)),
    )

    with pytest.raises(PanelError, match="FreeU, Face maker, My own script"):
        build(tab, Host())


def test_selected_scripts_of_the_cloud_go_by_title() -> None:
    known = {title.casefold() for task in (Task.TXT2IMG, Task.IMG2IMG) for title in titles(task)}
    script = ScriptValues("Prompt matrix", (False, False, "positive", "comma", 0), always_on=False)

    body = build(txt2img(selected=script), Host())

    assert known >= SELECTABLE
    assert body["script_name"] == "Prompt matrix"
    assert not Txt2ImgParams.model_validate(body).unsupported()


def test_the_table_of_settings_is_that_of_the_contract() -> None:
    assert dict(DEFAULTS) == {name: rule.default for name, rule in OPTIONS.items() if name not in NOT_FROM_SETTINGS}


def test_settings_that_change_pictures_travel_below_the_tabs_own_overrides() -> None:
    settings: dict[str, Any] = {"CLIP_stop_at_last_layers": 2, "eta_noise_seed_delta": 31337, "eta_ancestral": 1,
                                "upscaler_for_img2img": "", "samples_format": "jpg"}  # fmt: skip
    host = Host(setting=settings.get, overrides=lambda _: {"CLIP_stop_at_last_layers": 3})

    body = build(dataclasses.replace(txt2img(), vae="amber.vae.safetensors"), host)

    assert body["override_settings"] == {
        "CLIP_stop_at_last_layers": 3, "eta_noise_seed_delta": 31337, "sd_vae": "amber.vae.safetensors",
    }  # fmt: skip


def test_styles_are_merged_and_comments_stripped() -> None:
    host = Host(styles=lambda prompt, names, negative: f"{prompt}{', bad' if negative else ', '.join(['', *names])}")
    tab = txt2img(prompt="a star # of mine", prompt_styles=["bright"])

    body = build(tab, host)

    assert (body["prompt"], body["negative_prompt"], body["styles"]) == ("a star \n", "moon, bad", [])
    assert build(tab, dataclasses.replace(host, setting=lambda _: False))["prompt"] == "a star # of mine, bright"


def test_the_hires_pass_is_warned_of_when_forge_gives_it_another_cfg() -> None:
    tab = txt2img(enable_hr=True, hr_cfg=3.0)

    build(tab, Host())

    assert "7.5" in tab.warnings[0]
    assert "3.0" in tab.warnings[0]


@pytest.mark.parametrize("text", ["a # b\nc", "# all\nb", "a\n#x\n#y\nb", "a", "a#", "", "a \n # b"])
def test_comments_go_as_in_the_cloud(text: str) -> None:
    assert strip_comments(text) == strip_in_the_cloud(text)


CLOUD: list[dict[str, object]] = [{"name": "moon.safetensors", "alias": "luna"}, {"name": "sun.pt", "alias": None}]
LORAS = {
    "by its file": ("a <lora:moon:0.7>", "a <lora:moon:0.7>", ()),
    "by its alias": ("a <lora:luna:0.7:1>", "a <lora:moon:0.7:1>", ()),
    "by the host's name": ("a <lora:Soleil:1>", "a <lora:sun:1>", ()),
    "missing": ("a <lora:mars:1> b <lora:mars:2>", "a  b ", ("mars",)),
    "not a LoRA": ("a <hypernet:mars:1>", "a <hypernet:mars:1>", ()),
}


@pytest.mark.parametrize(("prompt", "expected", "missing"), LORAS.values(), ids=LORAS)
def test_loras_get_the_clouds_names(prompt: str, expected: str, missing: tuple[str, ...]) -> None:
    assert resolve_loras(prompt, CLOUD, {"Soleil": "sun"}) == (expected, missing)


def test_embeddings_that_the_cloud_lacks_are_found_as_whole_words() -> None:
    assert missing_embeddings(["a sun, starry"], CLOUD, ["star", "SUN", "a"]) == ["a"]
