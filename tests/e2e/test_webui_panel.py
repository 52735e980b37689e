"""The panel in both stand-in hosts, driven by a browser, against the local cloud."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.e2e.conftest import CHECKPOINT
from tests.webui_extension import hosts
from tests.webui_extension.hosts import HOSTS, WebUI, running_host

WEIGHTS = Path(__file__).parents[2] / "demo_models" / "weights"
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("local-cloud"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with hosts.browser() as started:
        yield started


@pytest.fixture(scope="module", params=HOSTS)
def webui(
    request: pytest.FixtureRequest, browser: Browser, local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebUI]:
    """A page that is connected and has chosen the checkpoint in both tabs."""
    host, folder = request.param, tmp_path_factory.mktemp(request.param)
    hosts.python_of(host)
    with running_host(host, folder, {}) as address:
        webui = WebUI(browser, address, host, folder)
        said = webui.connect(local_cloud.api_url, local_cloud.admin_key)
        assert "Connected as admin" in said
        for tab in ("img2img", "txt2img"):
            webui.tab(tab)
            webui.click(f"goc_refresh_{tab}")
            webui.says(f"goc_state_{tab}", "GPU")
            webui.choose(f"goc_checkpoint_{tab}", CHECKPOINT)
        yield webui
        assert not webui.errors
        webui.page.close()


def picture(color: str = "green") -> Image.Image:
    image = Image.new("RGBA", (64, 64), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 48, 48), fill=color)
    return image


def strokes() -> Image.Image:
    image = Image.new("RGBA", (64, 64))
    ImageDraw.Draw(image).rectangle((24, 24, 60, 60), fill=(200, 0, 0, 255))
    return image


def drawn(webui: WebUI, tab: str) -> dict[str, Any]:
    """The `info` of the picture that arrives in the Output section after the click."""
    before, known = webui.text(f"html_log_{tab}"), webui.value(f"generation_info_{tab}")
    webui.click(f"goc_generate_{tab}")
    for _ in range(900):
        log = webui.text(f"html_log_{tab}")
        told = webui.value(f"generation_info_{tab}")
        if log != before and "Drawn in the cloud" in log and told != known:  # the page sets one by one
            info: dict[str, Any] = json.loads(told)
            webui.says(f"html_info_{tab}", info["infotexts"][0].rpartition("\n")[2])
            return info
        webui.page.wait_for_timeout(100)
    raise AssertionError(webui.text(f"goc_status_{tab}"))


def sent_params(service: GenerateOnCloud) -> dict[str, Any]:
    """What the newest job was drawn with, as its result repeats it."""
    job = service.jobs.get(service.jobs.page(limit=1).jobs[0].job_id)
    assert job.result is not None
    return job.result.parameters


def test_a_picture_arrives_in_the_hosts_gallery_with_its_infotext(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a red star # a note of mine")

    info = drawn(webui, "txt2img")

    assert len(webui.gallery("txt2img")) >= 1
    assert "Steps: 8" in webui.text("html_info_txt2img")
    assert info["prompt"].strip() == "a red star"
    assert info["all_seeds"] == [7]
    assert "Seed: 7" in info["infotexts"][0]
    assert sent_params(service)["steps"] == 8


def test_the_picture_is_saved_where_the_host_saves(webui: WebUI) -> None:
    webui.tab("txt2img")
    drawn(webui, "txt2img")

    assert "Saved in" in webui.text("html_log_txt2img")
    files = sorted((webui.folder / "outputs" / "txt2img").glob("*-7.png"))
    with Image.open(files[-1]) as saved:
        assert "Steps: 8" in saved.info["parameters"]


def fill_canvas(webui: WebUI, mode: str) -> None:
    """Picture and strokes of a mode, by the means of the host's canvas."""
    names = {"img2img": "img2img_image", "Sketch": "img2img_sketch", "Inpaint": "img2maskimg",
             "Inpaint sketch": "inpaint_sketch"}  # fmt: skip
    if mode == "Inpaint upload":
        webui.upload("img_inpaint_base", picture().convert("RGB"))
        webui.upload("img_inpaint_mask", strokes().getchannel("A"))
    elif webui.host == "AUTOMATIC1111":
        webui.upload(names[mode], picture())
        if mode != "img2img":
            webui.paint(names[mode])
    else:
        webui.upload(f"{names[mode]}_background", picture())
        if mode != "img2img":
            webui.upload(f"{names[mode]}_foreground", strokes())


@pytest.mark.parametrize("mode", ["img2img", "Sketch", "Inpaint", "Inpaint sketch", "Inpaint upload"])
def test_each_mode_of_img2img_draws(webui: WebUI, service: GenerateOnCloud, mode: str) -> None:
    webui.tab("img2img")
    webui.mode(mode)
    fill_canvas(webui, mode)

    info = drawn(webui, "img2img")

    params = sent_params(service)
    assert info["all_seeds"] == [7]
    assert params["denoising_strength"] == 0.6
    assert ("Mask blur" in webui.text("html_info_img2img")) == mode.startswith("Inpaint")


def test_without_a_checkpoint_nothing_is_sent(webui: WebUI, service: GenerateOnCloud) -> None:
    before = service.jobs.page(limit=1).jobs[0].job_id
    webui.tab("txt2img")
    webui.page.locator("#goc_checkpoint_txt2img input").first.click()
    webui.page.locator("ul.options li").first.click()

    webui.click("goc_generate_txt2img")

    webui.says("goc_status_txt2img", "Choose a “Stable Diffusion Checkpoint Used on Cloud” first")
    assert service.jobs.page(limit=1).jobs[0].job_id == before
    webui.choose("goc_checkpoint_txt2img", CHECKPOINT)


def test_an_extension_that_the_cloud_lacks_is_named(webui: WebUI) -> None:
    webui.tab("txt2img")
    box = webui.page.locator("#txt2img_face_maker input")
    box.check()

    webui.click("goc_generate_txt2img")

    webui.says("goc_status_txt2img", "Face maker")
    box.uncheck()


def test_an_empty_mask_is_refused(webui: WebUI) -> None:
    webui.tab("img2img")
    webui.mode("Inpaint upload")
    webui.upload("img_inpaint_base", picture().convert("RGB"))
    webui.upload("img_inpaint_mask", Image.new("L", (64, 64)))

    webui.click("goc_generate_img2img")

    webui.says("goc_status_img2img", "Nothing is painted")


def test_the_button_takes_the_next_job_at_once(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    before = {job.job_id for job in service.jobs.page(limit=100).jobs}

    def sent() -> int:
        return len({job.job_id for job in service.jobs.page(limit=100).jobs} - before)

    for count in range(1, 4):
        webui.click("goc_generate_txt2img")
        while sent() < count:  # pytest's time limit ends this
            webui.page.wait_for_timeout(50)
    while len(jobs := [job for job in service.jobs.page(limit=100).jobs if job.job_id not in before]) < 3 or any(
        job.status in ("queued", "running") for job in jobs
    ):
        webui.page.wait_for_timeout(200)
    webui.page.wait_for_function("JSON.parse(sessionStorage.getItem('goc_watched_txt2img')).length === 0")

    assert [job.status for job in jobs] == ["succeeded"] * 3


def test_the_history_shows_retries_and_deletes(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, "txt2img")
    webui.click("goc_newest_txt2img")
    newest = service.jobs.page(limit=1).jobs[0]
    webui.page.wait_for_function(
        "(label) => document.querySelector('#goc_histories_txt2img input').value === label", arg=newest.line
    )
    assert newest.line.count("→") == 3

    webui.click("goc_retry_txt2img")
    webui.says("goc_message_txt2img", "Sent")
    webui.page.wait_for_function("JSON.parse(sessionStorage.getItem('goc_watched_txt2img')).length === 0")
    again = service.jobs.get(service.jobs.page(limit=1).jobs[0].job_id)
    assert again.retry_of == newest.job_id

    webui.click("goc_show_txt2img")
    webui.says("html_log_txt2img", newest.job_id)

    webui.click("goc_delete_txt2img")
    webui.says("goc_message_txt2img", "Deleted")
    assert newest.job_id not in {job.job_id for job in service.jobs.page(limit=100).jobs}


def test_a_picture_of_the_history_is_enlarged_in_the_cloud(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, "txt2img")
    webui.click("goc_newest_txt2img")
    newest = service.jobs.page(limit=1).jobs[0]
    webui.page.wait_for_function(
        "(label) => document.querySelector('#goc_histories_txt2img input').value === label", arg=newest.line
    )

    webui.click("goc_upscale_txt2img")
    webui.says("html_log_txt2img", service.jobs.page(limit=1).jobs[0].job_id)
    webui.says("html_info_txt2img", "Postprocess upscale by: 2")

    (file,) = (webui.folder / "outputs" / "extras").iterdir()
    with Image.open(file) as saved:
        assert saved.size == (128, 128)
        assert "Steps: 8" in saved.info["parameters"]


@pytest.mark.parametrize(
    ("button", "kind", "model"),
    [
        ("goc_interrogate", "interrogator", "interrogator.safetensors"),
        ("goc_deepbooru", "tagger", "tagger.safetensors"),
    ],
)
def test_the_cloud_describes_the_picture_and_the_text_goes_into_the_prompt(
    webui: WebUI, service: GenerateOnCloud, button: str, kind: str, model: str
) -> None:
    service.assets.upload(WEIGHTS / model, kind)
    webui.tab("img2img")
    webui.mode("img2img")
    fill_canvas(webui, "img2img")
    webui.write("img2img_prompt", "")

    webui.click(button)

    webui.page.wait_for_function("document.querySelector('#img2img_prompt textarea').value !== ''")
    caption = service.jobs.get(service.jobs.page(limit=1).jobs[0].job_id).result
    assert caption is not None
    assert webui.value("img2img_prompt") == caption.caption


def test_a_page_that_is_reloaded_takes_its_job_up_again(webui: WebUI) -> None:
    webui.tab("txt2img")
    webui.click("goc_generate_txt2img")
    webui.page.wait_for_function("JSON.parse(sessionStorage.getItem('goc_watched_txt2img')).length === 1")

    webui.open(webui.address)

    webui.says("html_log_txt2img", "Drawn in the cloud")
    webui.page.wait_for_selector("#txt2img_gallery img")
    for tab in ("img2img", "txt2img"):  # the page forgets its choices, as the host's own
        webui.tab(tab)
        webui.says(f"goc_state_{tab}", "GPU")
        webui.choose(f"goc_checkpoint_{tab}", CHECKPOINT)


def test_a_local_model_is_sent_to_the_cloud(webui: WebUI, service: GenerateOnCloud) -> None:
    name = f"{webui.host}.safetensors"
    folder = webui.folder / "models" / "Stable-diffusion"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(WEIGHTS / "shapes.safetensors", folder / name)
    with (folder / name).open("r+b") as file:  # a file of its own, not one that is known by its hash
        content = bytearray(file.read())
        content[-1] ^= 1 if webui.host == "Forge" else 2
        file.seek(0)
        file.write(content)
    webui.tab("Generate on Cloud")
    webui.click("goc_refresh_models")
    webui.says("goc_local_files", f"{name} · 0.02 GB · not on cloud")

    webui.page.locator("#goc_local_files input").first.check()
    webui.click("goc_upload")

    webui.says("goc_upload_progress", f"{name}: on the cloud")
    webui.click("goc_refresh_models")
    webui.says("goc_local_files", f"{name} · 0.02 GB · on cloud")
    assert name in {asset.name for asset in service.assets.list(asset_type="checkpoint")}


def test_the_key_is_in_no_file_of_the_host(webui: WebUI, local_cloud: LocalCloud) -> None:
    key_files = [
        path for path in webui.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and local_cloud.admin_key.encode() in path.read_bytes()
    ]  # fmt: skip
    assert [path.name for path in key_files] == ["webui.json"]
    assert key_files[0].stat().st_mode & 0o777 == 0o600


def test_a_wrong_key_is_told_and_not_kept(webui: WebUI, local_cloud: LocalCloud) -> None:
    said = webui.connect(local_cloud.api_url, "goc_wrong")

    assert "The key was refused" in said
    webui.tab("txt2img")
    drawn(webui, "txt2img")
