"""Pictures and strokes for the five modes of img2img, given by the means of the host's canvas."""

from PIL import Image, ImageDraw

from tests.webui_extension.webui_page import WebUI

MODES = ("img2img", "Sketch", "Inpaint", "Inpaint sketch", "Inpaint upload")
NAMES = {
    "img2img": "img2img_image", "Sketch": "img2img_sketch", "Inpaint": "img2maskimg", "Inpaint sketch": "inpaint_sketch"
}  # fmt: skip
SIDE = 64


def picture(color: str = "green") -> Image.Image:
    image = Image.new("RGBA", (SIDE, SIDE), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 48, 48), fill=color)
    return image


def strokes() -> Image.Image:
    image = Image.new("RGBA", (SIDE, SIDE))
    ImageDraw.Draw(image).rectangle((24, 24, 60, 60), fill=(200, 0, 0, 255))
    return image


def fill_canvas(webui: WebUI, mode: str) -> None:
    """Select the mode, and give it a picture and strokes."""
    webui.mode(mode)
    if mode == "Inpaint upload":
        for elem_id, image in (("img_inpaint_base", picture().convert("RGB")), ("img_inpaint_mask", mask())):
            webui.clear(elem_id)
            webui.upload(elem_id, image)
    elif webui.host.is_real or webui.host.kind == "AUTOMATIC1111":
        webui.clear(NAMES[mode])
        webui.upload(NAMES[mode], picture())
        if mode != "img2img":
            webui.paint(NAMES[mode])
    else:
        webui.upload(f"{NAMES[mode]}_background", picture())
        if mode != "img2img":
            webui.upload(f"{NAMES[mode]}_foreground", strokes())


def mask() -> Image.Image:
    return strokes().getchannel("A")
