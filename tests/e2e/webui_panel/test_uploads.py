"""Model files on their way to the cloud: closed tabs, broken lines, restarted hosts, addresses."""

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.files import choose_file, large_vae, one_part_arrived
from tests.e2e.webui_panel.sending import logged_in
from tests.webui_extension.cable import Cable
from tests.webui_extension.webui_page import WebUI

FOLDERS = {
    "lora": ("models/Lora", ".safetensors"),
    "embedding": ("embeddings", ".pt"),
    "hypernetwork": ("models/hypernetworks", ".pt"),
    "controlnet": ("models/ControlNet", ".safetensors"),
    "upscaler": ("models/ESRGAN", ".pth"),
}
"""Where both hosts keep the files of a type, and an ending that each type takes."""


def test_an_upload_goes_on_when_its_tab_is_closed_and_stops_when_told(
    webui: WebUI, service: GenerateOnCloud, cable: Cable
) -> None:
    with logged_in(webui, url=cable.url):
        name = large_vae(webui, f"large-{webui.host.kind.lower()}.safetensors")
        choose_file(webui, name, "not on cloud")
        cable.hold(b"/parts", after=1)
        webui.click("goc_upload")
        webui.waits_for(lambda: one_part_arrived(service, name), "one part")
        webui.says("goc_upload_progress", f"{name}: uploading 0.07 / 0.07 GB")
        webui.click("goc_stop_upload")
        cable.mend()
        webui.says("goc_upload_progress", f"{name}: stopped")
        assert one_part_arrived(service, name)

        leaving = webui.another()
        choose_file(leaving, name, "uploading")
        cable.hold(b"/complete", after=0)
        leaving.click("goc_upload")
        leaving.says("goc_upload_progress", "0.07 / 0.07 GB")
        leaving.page.close()
        cable.mend()
        webui.waits_for(
            lambda: name in {each.name for each in service.assets.list(asset_type="vae") if each.status == "active"},
            f"{name} on the cloud",
        )
        choose_file(webui, name, "on cloud")
        webui.says("goc_upload_progress", f"{name}: on the cloud")


def test_a_file_is_fetched_by_its_address_and_a_failure_is_told(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("Generate on Cloud")
    webui.choose("goc_model_type", "lora")
    webui.write("goc_from_url", "http://127.0.0.1/ink.safetensors")
    webui.click("goc_import")
    webui.says("goc_upload_progress", "source_url")

    webui.write("goc_from_url", f"https://localhost/{webui.host.kind}.safetensors")
    webui.click("goc_import")

    name = f"{webui.host.kind}.safetensors"
    webui.says("goc_upload_progress", f"{name}: ")
    asset = next(each for each in service.assets.list(asset_type="lora") if each.name == name)
    webui.waits_for(lambda: service.assets.get(asset.asset_id).error, f"the end of {name}")
    webui.says("goc_upload_progress", f"{name}: {service.assets.get(asset.asset_id).error}")
    service.assets.delete(asset.asset_id)


def test_the_files_of_each_folder_are_listed(webui: WebUI) -> None:
    webui.tab("Generate on Cloud")
    for kind, (folder, ending) in FOLDERS.items():
        place = webui.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        file = place / f"only here {kind}{ending}"
        file.write_bytes(b"never read")

        webui.choose("goc_model_type", kind)
        webui.click("goc_refresh_models")

        webui.says("goc_local_files", f"{file.name} · 0.00 GB · not on cloud")
        file.unlink()
