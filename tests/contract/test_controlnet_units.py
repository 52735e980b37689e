"""Units of `alwayson_scripts.ControlNet`: aliases, defaults, refusals and infotext."""

from typing import Any

import pytest

from generate_on_cloud.contract.controlnet import ControlNetUnit, read_controlnet, without_pictures
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams

UNIT: dict[str, Any] = {"model": "canny", "image": "aaaa"}


def scripts(*units: object, title: str = "ControlNet") -> dict[str, Any]:
    return {title: {"args": list(units)}}


def test_defaults_are_the_extensions() -> None:
    (unit,) = read_controlnet(scripts(UNIT))

    assert (unit.module, unit.weight, unit.resize_mode, unit.control_mode) == (
        "none",
        1.0,
        "Crop and Resize",
        "Balanced",
    )
    assert (unit.guidance_start, unit.guidance_end, unit.hr_option, unit.save_detected_map) == (0, 1, "Both", True)
    assert (unit.resolution, unit.thresholds) == (512, (0.5, 0.5))


@pytest.mark.parametrize(
    ("raw", "field", "value"),
    [
        ({"input_image": "bbbb"}, "image", "bbbb"),
        ({"image": {"image": "bbbb", "mask": "cccc"}}, "mask", "cccc"),
        ({"image": ["bbbb", "cccc"]}, "mask", "cccc"),
        ({"image": "bbbb", "mask_image": "cccc"}, "mask", "cccc"),
        ({"guidance": 0.5}, "guidance_end", 0.5),
        ({"lowvram": True}, "low_vram", True),
        ({"resize_mode": 2}, "resize_mode", "Resize and Fill"),
        ({"resize_mode": "Scale to Fit (Inner Fit)"}, "resize_mode", "Crop and Resize"),
        ({"control_mode": 1}, "control_mode", "My prompt is more important"),
        ({"module": "invert (from white bg & black line)"}, "module", "invert"),
        ({"module": "None"}, "module", "none"),
        ({"module": "blur"}, "module", "blur_gaussian"),
        ({"weight": None}, "weight", 1.0),
        ({"model": "control_v11p_sd15_canny [d14c016b]"}, "model_name", "control_v11p_sd15_canny"),
    ],
)
def test_aliases_and_older_words_are_understood(raw: dict[str, Any], field: str, value: object) -> None:
    (unit,) = read_controlnet(scripts({"model": "x", **raw}, title="controlnet"))

    assert getattr(unit, field) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"module": "mediapipe_face"}, "received the preprocessor 'mediapipe_face'; allowed: none, .* module \"none\""),
        ({"modle": "x"}, "ControlNet 0: modle: Extra inputs are not permitted"),
        ({"weight": 2.5}, "ControlNet 0: weight: "),
        ({"model": "None"}, "without a model; allowed: the name of an uploaded controlnet"),
        ({"module": "canny", "threshold_a": 300}, "received threshold_a 300.0; allowed for canny: 0 to 256, or -1"),
        ({"processor_res": 32}, "received processor_res 32; allowed: 64 to 2048"),
        ({"guidance_start": 0.8, "guidance_end": 0.2}, "received guidance_start 0.8 after guidance_end 0.2"),
        ({"guidance": 1, "guidance_end": 1}, "received both guidance and guidance_end"),
        ({"resize_mode": 3}, "resize_mode"),
        ({"image": None, "mask": "cccc"}, "received a mask without an image"),
        ({"effective_region_mask": "dddd"}, "effective_region_mask"),
        ({"ipadapter_input": ["x"]}, "ipadapter_input"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_is_allowed(raw: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Img2ImgParams.model_validate({"init_images": ["aaaa"], "alwayson_scripts": scripts({**UNIT, **raw})})


@pytest.mark.parametrize("script", [{"args": {}}, {"arg": []}, [], {"args": [UNIT] * 11}, {"args": ["canny"]}])
def test_arguments_that_are_no_units_are_refused(script: object) -> None:
    with pytest.raises(ValueError, match="ControlNet"):
        read_controlnet({"ControlNet": script})


def test_other_scripts_are_unknown() -> None:
    with pytest.raises(ValueError, match="unknown scripts 'ADetailer'; allowed: Soft Inpainting, ControlNet"):
        Img2ImgParams(init_images=["aaaa"], alwayson_scripts={"ADetailer": {"args": []}})


def test_a_disabled_unit_asks_for_nothing() -> None:
    units = read_controlnet(scripts({"enabled": False, "module": "openpose"}, UNIT))

    assert [unit.model for unit in units] == ["canny"]


def test_txt2img_has_no_picture_to_fall_back_to() -> None:
    without = scripts({"model": "canny"})

    assert Img2ImgParams(init_images=["aaaa"], alwayson_scripts=without).controlnet_units()
    with pytest.raises(ValueError, match="ControlNet 0: received no image; allowed: a map or picture as base64"):
        Txt2ImgParams(alwayson_scripts=without)


def test_infotext_is_what_the_extension_writes() -> None:
    unit = ControlNetUnit.model_validate({**UNIT, "module": "canny", "weight": 0.75, "pixel_perfect": True})

    assert unit.infotext() == (
        "Module: canny, Model: canny, Weight: 0.75, Resize Mode: Crop and Resize, Processor Res: 512, "
        "Threshold A: 100, Threshold B: 200, Guidance Start: 0.0, Guidance End: 1.0, "
        "Pixel Perfect: True, Control Mode: Balanced"
    )


def test_the_echo_of_a_request_has_no_pictures() -> None:
    echoed = without_pictures({**scripts({**UNIT, "mask_image": "cccc"}), "Soft Inpainting": {"args": [True]}})

    assert echoed == {
        **scripts({"model": "canny", "image": None, "mask_image": None}),
        "Soft Inpainting": {"args": [True]},
    }
