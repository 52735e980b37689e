"""The host's own buttons below the Output section work on a picture from the cloud."""

import zipfile

from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.sending import drawn
from tests.webui_extension.canvases import SIDE
from tests.webui_extension.webui_page import WebUI

TARGETS = {
    "extras": ("Extras", "", "extras_image"),
    "inpaint": ("img2img", "Inpaint", "img2maskimg"),
    "img2img": ("img2img", "img2img", "img2img_image"),
}
"""Tab, inner tab, and canvas that a result is sent to."""


def test_save_and_zip_write_a_picture_of_the_cloud(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, service, "txt2img")
    folder = webui.folder / "log" / "images"

    webui.click("save_txt2img")
    saved = webui.waits_for(lambda: list(folder.glob("**/*-7.png")), "the saved picture")
    webui.click("save_zip_txt2img")
    packed = webui.waits_for(lambda: [*filter(zipfile.is_zipfile, folder.glob("**/*.zip"))], "the zip")

    with Image.open(saved[0]) as image:
        assert image.size == (SIDE, SIDE)
        assert "Seed: 7" in image.info["parameters"]
    with zipfile.ZipFile(packed[0]) as archive:
        assert [name.endswith("-7.png") for name in archive.namelist()] == [True]


def test_a_picture_of_the_cloud_is_sent_to_img2img_inpaint_and_extras(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, service, "txt2img")

    for target, (tab, mode, canvas) in TARGETS.items():
        webui.tab(tab)
        if mode:
            webui.mode(mode)
        webui.clear(canvas)
        webui.tab("txt2img")
        webui.click(f"txt2img_send_to_{target}")
        webui.tab(tab)
        webui.waits_for(lambda canvas=canvas: webui.has_picture(canvas), f"the picture in {target}")  # type: ignore[misc]

    assert drawn(webui, service, "img2img")["all_seeds"] == [7]
