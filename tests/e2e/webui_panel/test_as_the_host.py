"""Only in a real host (`make webui-real`): the cloud's picture is the host's own."""

import io
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from checks.fidelity.comparison import MIN_NEAR_PIXELS, NEAR_LEVELS
from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.sending import drawn
from tests.webui_extension import hosts
from tests.webui_extension.canvases import MODES, fill_canvas
from tests.webui_extension.webui_page import WebUI

pytestmark = pytest.mark.skipif(not hosts.hosts()[0].is_real, reason="a stand-in cannot draw: make webui-real")


def shown(webui: WebUI, tab: str) -> Image.Image:
    """The first picture in the Output section."""
    source = webui.gallery(tab)[0]
    with urlopen(source if source.startswith("http") else webui.address.rstrip("/") + source) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB")


def drawn_here(webui: WebUI, tab: str) -> Image.Image:
    """What the host's own Generate draws."""
    before = webui.value(f"generation_info_{tab}")
    webui.click(f"{tab}_generate")
    webui.waits_for(lambda: webui.value(f"generation_info_{tab}") != before, "the host's own picture")
    webui.says(f"html_info_{tab}", "Steps: 8")
    assert "Job" not in webui.text(f"html_log_{tab}")
    return shown(webui, tab)


def near(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are within the bar in every channel."""
    assert one.size == other.size
    difference = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max(axis=2)
    return float((difference <= NEAR_LEVELS).mean())


@pytest.mark.parametrize("mode", MODES)
def test_the_clouds_picture_of_each_mode_equals_the_hosts_own(
    webui: WebUI, service: GenerateOnCloud, mode: str
) -> None:
    webui.tab("img2img")
    webui.write("img2img_prompt", "a red star, (green:1.2) circle")
    fill_canvas(webui, mode)

    local = drawn_here(webui, "img2img")
    drawn(webui, service, "img2img")

    assert near(local, shown(webui, "img2img")) >= MIN_NEAR_PIXELS


def test_the_clouds_picture_of_txt2img_equals_the_hosts_own(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a red star, (green:1.2) circle")

    local = drawn_here(webui, "txt2img")
    drawn(webui, service, "txt2img")

    assert near(local, shown(webui, "txt2img")) >= MIN_NEAR_PIXELS
