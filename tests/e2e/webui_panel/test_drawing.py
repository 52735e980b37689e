"""What the button sends, and what arrives in the Output section."""

import shutil

import pytest
from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.sending import WEIGHTS, drawn, sent_params
from tests.webui_extension.canvases import MODES, fill_canvas, picture
from tests.webui_extension.webui_page import WebUI


def test_a_picture_arrives_in_the_hosts_gallery_with_its_infotext(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a red star # a note of mine")

    info = drawn(webui, service, "txt2img")

    assert len(webui.gallery("txt2img")) >= 1
    assert "Steps: 8" in webui.text("html_info_txt2img")
    assert info["prompt"].strip() == "a red star"
    assert info["all_seeds"] == [7]
    assert "Seed: 7" in info["infotexts"][0]
    assert sent_params(service)["steps"] == 8


def test_the_picture_is_saved_where_the_host_saves(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, service, "txt2img")

    assert "Saved in" in webui.text("html_log_txt2img")
    files = sorted((webui.folder / "outputs").glob("txt2img*/**/*-7.png"))
    with Image.open(files[-1]) as saved:
        assert "Steps: 8" in saved.info["parameters"]


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_of_img2img_draws(webui: WebUI, service: GenerateOnCloud, mode: str) -> None:
    webui.tab("img2img")
    fill_canvas(webui, mode)

    info = drawn(webui, service, "img2img")

    params = sent_params(service)
    assert info["all_seeds"] == [7]
    assert params["denoising_strength"] == 0.6
    assert ("Mask blur" in webui.text("html_info_img2img")) == mode.startswith("Inpaint")


def test_without_a_checkpoint_nothing_is_sent(webui: WebUI, service: GenerateOnCloud, checkpoint: str) -> None:
    before = service.jobs.page(limit=1).jobs[0].job_id
    webui.tab("txt2img")
    webui.page.locator("#goc_checkpoint_txt2img input").first.click()
    webui.page.locator("ul.options li").first.click()

    webui.click("goc_generate_txt2img")

    webui.says("goc_status_txt2img", "Choose a “Stable Diffusion Checkpoint Used on Cloud” first")
    assert service.jobs.page(limit=1).jobs[0].job_id == before
    webui.choose("goc_checkpoint_txt2img", checkpoint)


def test_an_extension_that_the_cloud_lacks_is_named(webui: WebUI) -> None:
    webui.tab("txt2img")
    webui.check("txt2img_face_maker")

    webui.click("goc_generate_txt2img")

    webui.says("goc_status_txt2img", "Face maker")
    webui.check("txt2img_face_maker", on=False)


def test_an_empty_mask_is_refused(webui: WebUI) -> None:
    webui.tab("img2img")
    webui.mode("Inpaint upload")
    for elem_id, image in (
        ("img_inpaint_base", picture().convert("RGB")),
        ("img_inpaint_mask", Image.new("L", (64, 64))),
    ):
        webui.clear(elem_id)
        webui.upload(elem_id, image)

    webui.click("goc_generate_img2img")

    webui.says("goc_status_img2img", "Nothing is painted")


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
    fill_canvas(webui, "img2img")
    webui.write("img2img_prompt", "")

    webui.click(button)

    webui.page.wait_for_function("document.querySelector('#img2img_prompt textarea').value !== ''")
    caption = service.jobs.get(service.jobs.page(limit=1).jobs[0].job_id).result
    assert caption is not None
    assert webui.value("img2img_prompt") == caption.caption


def test_a_local_model_is_sent_to_the_cloud(webui: WebUI, service: GenerateOnCloud) -> None:
    name = f"{webui.host}.safetensors"
    folder = webui.folder / "models" / "Stable-diffusion"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(WEIGHTS / "shapes.safetensors", folder / name)
    with (folder / name).open("r+b") as file:  # a file of its own, not one that is known by its hash
        content = bytearray(file.read())
        content[-1] ^= 1 if webui.host.kind == "Forge" else 2
        file.seek(0)
        file.write(content)
    webui.tab("Generate on Cloud")
    webui.click("goc_refresh_models")
    webui.says("goc_local_files", f"{name} · 0.02 GB · not on cloud")

    ticked = webui.page.locator("#goc_local_files label", has_text=name).locator("input")
    ticked.check()
    (folder / "another.safetensors").write_bytes(b"never read")
    webui.click("goc_refresh_models")
    webui.says("goc_local_files", "another.safetensors · 0.00 GB")
    (folder / "another.safetensors").unlink()
    assert ticked.is_checked()
    webui.click("goc_upload")

    webui.says("goc_upload_progress", f"{name}: on the cloud")
    webui.click("goc_refresh_models")
    webui.says("goc_local_files", f"{name} · 0.02 GB · on cloud")
    assert name in {asset.name for asset in service.assets.list(asset_type="checkpoint")}
