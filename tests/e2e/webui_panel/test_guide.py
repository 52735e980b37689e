"""Walks the guide in a real host and takes its pictures (`make webui-guide`)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.e2e.webui_panel.sending import WEIGHTS, choose_newest, enlarge_newest, has_ended, sent
from tests.webui_extension.canvases import MODES, NAMES
from tests.webui_extension.hosts import Host, change_settings, prepare, running_host
from tests.webui_extension.webui_page import SURFACES, WebUI

PICTURES = os.environ.get("GUIDE_PICTURES", "")
LANGUAGE = os.environ.get("WEBUI_LANGUAGE", "")
"""A1111's setting `localization`; the extension that brings it is the folder WEBUI_LOCALIZATION."""
LINES = ((0.35, 0.3, 0.6), (0.3, 0.42, 0.65), (0.38, 0.54, 0.58))
"""Strokes over the heart, each from x at y to x, as parts of the canvas."""
WIDTH, HEIGHT, MARGIN = 1180, 960, 70

pytestmark = pytest.mark.skipif(not PICTURES, reason="only `make webui-guide` takes pictures")


@pytest.fixture(scope="module")
def guide_folder(host: Host, local_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host's data folder."""
    folder = tmp_path_factory.mktemp("guide")
    prepare(host, folder, local_checkpoint)
    (folder / "extensions" / "face-maker").unlink()  # of the tests, not of the guide
    change_settings(host, folder, {"samples_save": False})  # a picture needs no folder of this machine
    return folder


@pytest.fixture(scope="module")
def guide_checkpoint(local_cloud: LocalCloud) -> str:
    """Name in the cloud of the demo's checkpoint, which knows what the guide's prompts ask for."""
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as service:
        service.assets.upload(WEIGHTS / "shapes.safetensors", "checkpoint")
    return "shapes.safetensors"


@pytest.fixture(scope="module")
def guided(
    host: Host, browser: Browser, local_cloud: LocalCloud, guide_checkpoint: str, guide_folder: Path
) -> Iterator[WebUI]:
    """A page of a host in the guide's language, connected, with the checkpoint chosen."""
    folder = guide_folder
    if LANGUAGE:
        (folder / "extensions" / "localization").symlink_to(Path(os.environ["WEBUI_LOCALIZATION"]).resolve())
        change_settings(host, folder, {"localization": LANGUAGE})
    with running_host(host, folder) as address:
        webui = WebUI(browser, address, host, folder)
        webui.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        webui.connect(local_cloud.api_url, local_cloud.admin_key)
        take(webui, "connect", "goc_url")
        webui.refresh_and_choose(guide_checkpoint)
        for tab in ("img2img", "txt2img"):
            webui.tab(tab)
            webui.number(f"{tab}_steps", 20)
        yield webui
        webui.page.close()


def take(webui: WebUI, name: str, top: str) -> None:
    """A picture of the window, with this element at its top."""
    webui.page.mouse.move(5, 5)
    webui.page.locator(f"#{top}").first.evaluate(
        f"(element) => window.scrollTo(0, element.getBoundingClientRect().top + window.scrollY - {MARGIN})"
    )
    webui.page.wait_for_timeout(1500)  # toasts, hover marks and the gallery's first layout
    suffix = f".{LANGUAGE[:2]}" if LANGUAGE else ""
    webui.page.screenshot(path=Path(PICTURES) / f"{name}{suffix}.png")


def arrived(webui: WebUI, service: GenerateOnCloud, tab: str) -> None:
    """Press Generate on Cloud, and wait for the picture; in any language its log names the job."""
    webui.says(f"html_log_{tab}", sent(webui, service, tab))


def heart(side: int = 512) -> Image.Image:
    image = Image.new("RGB", (side, side), (58, 110, 216))
    draw = ImageDraw.Draw(image)
    third, color = side // 3, (46, 168, 76)
    draw.ellipse((side // 6, side // 5, side // 2, side // 5 + third), fill=color)
    draw.ellipse((side // 2, side // 5, side * 5 // 6, side // 5 + third), fill=color)
    left, right, y = side * 0.185, side * 0.815, side * 0.4
    draw.polygon([(left, y), (side * 0.5, side * 0.3), (right, y), (side / 2, side * 0.85)], fill=color)
    return image


def stroke(webui: WebUI, elem_id: str) -> None:
    webui.paint(elem_id)
    canvas = webui.page.locator(f"#{elem_id} {SURFACES[webui.host.kind]}")
    box = canvas.bounding_box()
    assert box is not None
    for start, y, end in LINES:
        webui.drag(box, (start, y), (end, y))


def test_txt2img(guided: WebUI, service: GenerateOnCloud) -> None:
    guided.tab("txt2img")
    guided.write("txt2img_prompt", "a large red heart in the center on a blue background")
    arrived(guided, service, "txt2img")
    take(guided, "txt2img", "txt2img_prompt")


@pytest.mark.parametrize("mode", MODES)
def test_each_mode(guided: WebUI, service: GenerateOnCloud, mode: str) -> None:
    guided.page.evaluate(f"switch_to_img2img_tab({MODES.index(mode)})")
    guided.write("img2img_prompt", "a large yellow star in the center on a blue background")
    if mode == "Inpaint upload":
        mask = Image.new("L", (512, 512))
        ImageDraw.Draw(mask).rectangle((120, 120, 392, 330), fill=255)
        guided.upload("img_inpaint_base", heart())
        guided.upload("img_inpaint_mask", mask)
    else:
        guided.upload(NAMES[mode], heart())
        if mode != "img2img":
            stroke(guided, NAMES[mode])
    arrived(guided, service, "img2img")
    take(guided, mode.lower().replace(" ", "_"), "mode_img2img")


def test_interrogate(guided: WebUI, service: GenerateOnCloud) -> None:
    service.assets.upload(WEIGHTS / "interrogator.safetensors", "interrogator")
    guided.page.evaluate("switch_to_img2img_tab(0)")
    guided.write("img2img_prompt", "")
    guided.click("goc_refresh_img2img")
    guided.click("goc_interrogate")
    guided.waits_for(lambda: guided.value("img2img_prompt"), "a description")
    take(guided, "interrogate", "img2img_prompt")


def test_continuous_and_extras(guided: WebUI, service: GenerateOnCloud) -> None:
    guided.tab("txt2img")
    *_, last = (sent(guided, service, "txt2img") for _ in range(3))
    guided.waits_for(lambda: has_ended(service, last), "all are drawn")
    choose_newest(guided, service)
    guided.page.locator("#goc_histories_txt2img input").first.click()
    take(guided, "histories", "goc_generate_txt2img")
    guided.page.keyboard.press("Escape")
    enlarge_newest(guided, service)
    take(guided, "extras", "goc_generate_txt2img")


def test_models(guided: WebUI) -> None:
    guided.tab("Generate on Cloud")
    guided.click("goc_refresh_models")
    guided.page.locator("#goc_local_files label").first.wait_for()
    take(guided, "models", "goc_upload_progress")
