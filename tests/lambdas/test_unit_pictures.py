"""Pictures of ControlNet's units are looked at before a job is queued."""

import base64

import pytest

from lambdas.jobs.pictures import picture_errors

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


@pytest.mark.parametrize(
    ("unit", "pointer"),
    [
        ({"image": "%"}, "/image"),
        ({"input_image": "%"}, "/input_image"),
        ({"image": PNG, "mask_image": "%"}, "/mask_image"),
        ({"image": {"image": PNG, "mask": "%"}}, "/image/mask"),
        ({"image": [PNG, "%"]}, "/image/1"),
        ({"image": "bm90IGEgcGljdHVyZQ=="}, "/image"),
    ],
)
def test_a_units_picture_that_is_none_is_named(unit: dict[str, object], pointer: str) -> None:
    found = picture_errors({"alwayson_scripts": {"controlnet": {"args": [{"image": PNG}, unit]}}})

    assert [error.pointer for error in found] == [f"/alwayson_scripts/controlnet/args/1{pointer}"]


@pytest.mark.parametrize("scripts", [None, [], {"ControlNet": None}, {"ControlNet": {"args": ["x", {"image": 3}]}}])
def test_odd_shapes_are_left_to_the_contract(scripts: object) -> None:
    assert picture_errors({"alwayson_scripts": scripts}) == []
