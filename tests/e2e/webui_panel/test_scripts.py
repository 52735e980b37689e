"""Scripts of the tab, ControlNet, styles, and files that prompts name."""

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.sending import WEIGHTS, drawn, sent_params
from tests.webui_extension import hosts
from tests.webui_extension.canvases import picture
from tests.webui_extension.webui_page import WebUI

only_stand_ins = pytest.mark.skipif(hosts.hosts()[0].is_real, reason="the real host's controls have other ids")


@only_stand_ins
def test_the_last_edit_of_a_controlnet_unit_travels_with_the_job(
    webui: WebUI, service: GenerateOnCloud, checkpoint: str
) -> None:
    service.assets.upload(WEIGHTS / "shapes.safetensors", "checkpoint")
    service.assets.upload(WEIGHTS / "edges.safetensors", "controlnet")
    webui.tab("txt2img")
    webui.click("goc_refresh_txt2img")
    webui.choose("goc_checkpoint_txt2img", "shapes.safetensors")
    webui.check("txt2img_controlnet_enable")
    webui.choose("txt2img_controlnet_model", "edges")
    webui.upload("txt2img_controlnet_image", picture())
    webui.number("txt2img_controlnet_weight", 0.75)

    info = drawn(webui, service, "txt2img")

    (unit,) = sent_params(service)["alwayson_scripts"]["ControlNet"]["args"]
    assert (unit["model"], unit["weight"]) == ("edges [3f1b2a90]", 0.75)
    assert 'ControlNet 0: "Module: none, Model: edges' in info["infotexts"][0]
    webui.check("txt2img_controlnet_enable", on=False)
    webui.choose("goc_checkpoint_txt2img", checkpoint)


def test_a_selected_script_runs_in_the_cloud_and_another_is_refused_by_its_title(
    webui: WebUI, service: GenerateOnCloud
) -> None:
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a star|red")
    webui.choose_script("txt2img", "Prompt matrix")
    info = drawn(webui, service, "txt2img")
    prompts = [text.partition("\n")[0] for text in info["infotexts"][1:]]

    webui.choose_script("txt2img", "Dance")
    webui.click("goc_generate_txt2img")
    webui.says("goc_status_txt2img", "These scripts cannot run in the cloud: Dance")
    webui.choose_script("txt2img", "None")

    assert [prompt.replace(" ", "") for prompt in prompts] == ["astar", "astar,red"]


def test_a_picture_without_a_lora_or_an_embedding_of_this_machine_says_so(
    webui: WebUI, service: GenerateOnCloud
) -> None:
    embeddings = webui.folder / "embeddings"
    embeddings.mkdir(exist_ok=True)
    (embeddings / "mynoise.pt").write_bytes(b"never read")
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a mynoise star <lora:nowhere:0.7>")

    info = drawn(webui, service, "txt2img")

    said = webui.says("html_log_txt2img", "The cloud has no LoRA nowhere")
    assert "The cloud has no embedding mynoise" in said
    assert "<lora" not in info["prompt"]


@only_stand_ins
def test_styles_are_merged_on_this_machine(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    webui.write("txt2img_prompt", "a star")
    webui.choose("txt2img_styles", "bright")

    info = drawn(webui, service, "txt2img")

    webui.unchoose_all("txt2img_styles")
    assert (info["prompt"], info["negative_prompt"]) == ("a star, bright", ", dull")
    assert sent_params(service)["styles"] == []


def test_a_vae_of_the_cloud_is_used(webui: WebUI, service: GenerateOnCloud) -> None:
    name = "amber.vae.safetensors"
    service.assets.upload(WEIGHTS / name, "vae")
    webui.tab("txt2img")
    webui.click("goc_refresh_txt2img")
    webui.choose("goc_vae_txt2img", name)

    info = drawn(webui, service, "txt2img")

    webui.choose("goc_vae_txt2img", "Automatic")
    assert f"VAE: {name}" in info["infotexts"][0]
