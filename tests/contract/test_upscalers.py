"""The names of upscalers: what the schema allows is what the service allows."""

from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from generate_on_cloud.contract.options import OptionRefusedError, Options, check_option
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.single_image_params import ExtraSingleImageParams
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS, MAX_NAME, PIXEL_UPSCALERS, WEBUI_FILES

NAMES = [
    *LATENT_UPSCALERS,
    *PIXEL_UPSCALERS,
    *WEBUI_FILES,
    "4x-sharp",
    "4x-sharp.pth",
    "x" * MAX_NAME,
    "x" * (MAX_NAME + 1),
    "",
    " ",
]


def taken_as_option(name: str) -> bool:
    try:
        check_option("upscaler_for_img2img", name)
    except OptionRefusedError:
        return False
    return True


def taken_by_extras(field: str, name: str) -> bool:
    try:
        ExtraSingleImageParams.model_validate({"image": "x", field: name})
    except ValidationError:
        return False
    return True


def schema_takes(schema: dict[str, Any], name: str) -> bool:
    return jsonschema_rs.validator_for(schema).is_valid(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_allows_the_names_that_are_taken(name: str) -> None:
    option = Options.model_json_schema()["properties"]["upscaler_for_img2img"]
    extras = ExtraSingleImageParams.model_json_schema()["properties"]

    assert schema_takes(option, name) is taken_as_option(name)
    for field in ("upscaler_1", "upscaler_2"):
        assert schema_takes(extras[field], name) is taken_by_extras(field, name)


def test_the_schema_shows_every_built_in_name() -> None:
    option = Options.model_json_schema()["properties"]["upscaler_for_img2img"]
    hires = Txt2ImgParams.model_json_schema()["properties"]["hr_upscaler"]

    assert {*PIXEL_UPSCALERS, *WEBUI_FILES} <= set(option["examples"])
    assert {*LATENT_UPSCALERS, *PIXEL_UPSCALERS, *WEBUI_FILES} <= set(hires["examples"])
