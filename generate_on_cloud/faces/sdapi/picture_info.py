"""`POST /sdapi/v1/png-info`: the texts inside a picture."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.faces.sdapi.pictures import decoded
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.webui.infotext.parser import DEFAULTS
from generate_on_cloud.webui.png_info import png_info

_INVALID = 500
"""WebUI's own status for a picture that it cannot decode ("Invalid encoded image")."""


def png_info_answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """`info` is the infotext, `parameters` its entries, `items` the picture's other texts.

    Raises:
        RefusalError: the picture cannot be read.
    """
    image = body.get("image")
    if not image:
        return {"info": "", "items": {}, "parameters": {}}
    picture = decoded(str(image).strip())
    try:
        found = png_info(picture or b"")
    except ValueError as error:
        raise RefusalError(_INVALID, f"Invalid encoded image: {error}") from error
    prompts = {"Prompt": found.prompt, "Negative prompt": found.negative_prompt}
    return {
        "info": found.infotext, "items": dict(found.texts), "parameters": {**prompts, **DEFAULTS, **found.parameters}
    }  # fmt: skip
