"""A model file of two parts in the host's folder, and what the panel's list says about it."""

import torch
from safetensors.torch import load_file, save_file

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.sending import WEIGHTS
from tests.webui_extension.webui_page import WebUI

PART = 64 * 1024**2
"""Bytes of the first."""


def large_vae(webui: WebUI, name: str) -> str:
    """Put a VAE of two parts into the host's folder; its name."""
    folder = webui.folder / "models" / "VAE"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = load_file(WEIGHTS / "amber.vae.safetensors")
    tensors["padding"] = torch.full((PART // 4,), float(sum(name.encode())))
    save_file(tensors, folder / name)
    return name


def choose_file(webui: WebUI, name: str, state: str) -> None:
    """Have the list of VAEs show this state of a file, and tick it."""
    webui.tab("Generate on Cloud")
    with webui.page.expect_response(lambda answer: '"data":["vae",' in (answer.request.post_data or "")):
        if webui.value("goc_model_type") == "vae":
            webui.click("goc_refresh_models")
        else:
            webui.choose("goc_model_type", "vae")
    webui.page.wait_for_timeout(500)  # gradio shows the answer a frame later, and takes the ticks away
    line = webui.page.locator("#goc_local_files label", has_text=f"{name} · 0.07 GB · {state}")
    line.locator("input").check()


def one_part_arrived(service: GenerateOnCloud, name: str) -> bool:
    for asset in service.assets.list(asset_type="vae"):
        upload = service.assets.get(asset.asset_id).upload
        if asset.name == name and upload is not None:
            return [part.received for part in upload.parts].count(True) == 1
    return False
