"""Texts inside a picture, as WebUI reads them: infotext, NovelAI's and ComfyUI's chunks, EXIF comments."""

import json

from PIL import Image

from generate_on_cloud.contract.samplers import sampler_with_alias

EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
PARAMETERS = "parameters"
EXIF_COMMENT = "exif comment"
MAX_TEXTS = 2**21
"""Characters of all texts of a picture that are kept; WebUI's own are a few thousand, a ComfyUI workflow is 100,000."""
_ABOUT_THE_FILE = frozenset(
    {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp",
        "duration", "progressive", "progression", "icc_profile", "chromaticity", "photoshop", "xmp",
        "XML:com.adobe.xmp",
    }
)  # fmt: skip


def texts_in(image: Image.Image) -> dict[str, str]:
    """Every text of an open picture by its name; `parameters` is its infotext, also when it was written elsewhere.

    WebUI makes an infotext of an EXIF comment and of NovelAI's chunks, and keeps these as well.
    """
    texts = {
        name: text
        for name, text in image.info.items()
        if isinstance(name, str) and isinstance(text, str) and name not in _ABOUT_THE_FILE
    }
    if comment := _exif_comment(image):
        texts |= {PARAMETERS: comment, EXIF_COMMENT: comment}
    if texts.get("Software") == "NovelAI" and (infotext := _infotext_of_novelai(texts, image)):
        texts[PARAMETERS] = infotext
    return texts if sum(map(len, texts.values())) <= MAX_TEXTS else {}


def _exif_comment(image: Image.Image) -> str:
    comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    if not isinstance(comment, bytes):
        return ""
    if comment.startswith(b"UNICODE\0"):
        return comment.removeprefix(b"UNICODE\0").decode("utf-16-be", "replace")
    return comment.removeprefix(b"ASCII\0\0\0").decode("utf-8", "ignore").strip("\0")


def _infotext_of_novelai(texts: dict[str, str], image: Image.Image) -> str:
    """ "" when the chunks are not as NovelAI writes them."""
    try:
        settings = json.loads(texts["Comment"])
        sampler = sampler_with_alias(str(settings["sampler"])) or "Euler a"
        return (
            f"{texts['Description']}\nNegative prompt: {settings['uc']}\n"
            f"Steps: {settings['steps']}, Sampler: {sampler}, CFG scale: {settings['scale']}, "
            f"Seed: {settings['seed']}, Size: {image.width}x{image.height}, Clip skip: 2, ENSD: 31337"
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        return ""
