"""`POST /sdapi/v1/png-info`: the texts inside a picture."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, UnidentifiedImageError

from generate_on_cloud.faces.sdapi.pictures import decoded
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.webui.infotext.parser import parse_infotext
from generate_on_cloud.webui.picture_texts import PARAMETERS, texts_in

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
        with Image.open(io.BytesIO(picture or b"")) as opened:
            texts = texts_in(opened)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise RefusalError(_INVALID, f"Invalid encoded image: {error}") from error
    info = texts.pop(PARAMETERS, "")
    parsed = parse_infotext(info)
    prompts = {"Prompt": parsed.prompt, "Negative prompt": parsed.negative_prompt}
    return {"info": info, "items": texts, "parameters": {**prompts, **parsed.with_defaults()}}
