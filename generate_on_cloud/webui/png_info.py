"""WebUI's PNG Info tab: what a picture says about how it was made."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from generate_on_cloud.webui.infotext.parser import parse_infotext
from generate_on_cloud.webui.picture_texts import PARAMETERS, texts_in


@dataclass(frozen=True)
class PngInfo:
    """The texts of a picture; all are empty for a picture without any."""

    infotext: str
    """WebUI's `parameters`, also made of EXIF comments and of NovelAI's chunks."""
    prompt: str
    negative_prompt: str
    parameters: Mapping[str, str]
    """The infotext's entries, such as `Steps` and `Seed`, completed with WebUI's defaults if there are any."""
    texts: Mapping[str, str]
    """Every other text, such as ComfyUI's `workflow`."""


def png_info(picture: bytes) -> PngInfo:
    """Read a PNG, JPEG, WebP or any other picture that Pillow opens.

    Raises:
        ValueError: it is not a picture.
    """
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            texts = texts_in(opened)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"received {len(picture)} bytes that are not a picture: {error}") from error
    infotext = texts.pop(PARAMETERS, "")
    parsed = parse_infotext(infotext)
    parameters = parsed.with_defaults() if infotext else {}
    return PngInfo(infotext, parsed.prompt, parsed.negative_prompt, parameters, texts)
