"""What goes wrong is told in the panel; nothing is lost, and the host goes on."""

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.e2e.webui_panel.conftest import OwnHost
from tests.e2e.webui_panel.files import choose_file, large_vae, one_part_arrived
from tests.e2e.webui_panel.sending import choose_newest, drawn, has_ended, logged_in, long_job, sent
from tests.webui_extension.cable import Cable
from tests.webui_extension.canvases import fill_canvas
from tests.webui_extension.webui_page import WebUI
from webui_extension.core.texts import texts


def test_the_key_is_in_no_file_of_the_host(webui: WebUI, local_cloud: LocalCloud) -> None:
    key_files = [
        path for path in webui.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and local_cloud.admin_key.encode() in path.read_bytes()
    ]  # fmt: skip
    assert [path.name for path in key_files] == ["webui.json"]
    assert key_files[0].stat().st_mode & 0o777 == 0o600


def test_a_wrong_key_is_told_and_not_kept(webui: WebUI, service: GenerateOnCloud, local_cloud: LocalCloud) -> None:
    assert "The key was refused" in webui.connect(local_cloud.api_url, "goc_wrong")

    webui.tab("txt2img")
    drawn(webui, service, "txt2img")


def test_a_key_that_was_revoked_is_told_and_its_job_is_not_lost(
    webui: WebUI, service: GenerateOnCloud, revoked_key: str
) -> None:
    webui.tab("img2img")
    fill_canvas(webui, "img2img")
    job_id = long_job(webui, service)
    with logged_in(webui, api_key=revoked_key):
        webui.says("goc_status_txt2img", "The key was refused")
        webui.waits_for(lambda: not webui.watched("txt2img"), "the page asks no more")
        webui.tab("img2img")  # which has said nothing yet
        webui.click("goc_generate_img2img")
        webui.says("goc_status_img2img", "The key was refused")
        assert service.jobs.page(limit=1).jobs[0].job_id == job_id

    webui.tab("txt2img")
    assert choose_newest(webui, service) == job_id
    webui.click("goc_show_txt2img")
    webui.says("html_log_txt2img", f"Job {job_id}")


def test_a_service_that_is_down_stops_neither_the_start_nor_a_job(
    own_host: OwnHost, cable: Cable, local_cloud: LocalCloud, service: GenerateOnCloud, checkpoint: str
) -> None:
    cable.cut()
    with own_host.running(cable.url, local_cloud.admin_key) as address:
        webui = own_host.page(address)
        webui.says("goc_state_txt2img", "cannot be reached")

        cable.mend()
        webui.refresh_and_choose(checkpoint)
        job_id = long_job(webui, service)
        cable.cut()

        webui.says("goc_status_txt2img", "no news")
        webui.click("goc_generate_txt2img")
        webui.says("goc_status_txt2img", "cannot be reached")
        webui.waits_for(lambda: has_ended(service, job_id), f"the end of {job_id}")
        assert webui.watched("txt2img") == [job_id]
        cable.mend()
        webui.says("html_log_txt2img", f"Job {job_id}")
        assert service.jobs.page(limit=1).jobs[0].job_id == job_id
        assert not webui.errors
        webui.page.close()


def speaks(webui: WebUI, language: str) -> None:
    """Labels and answers are in this language."""
    words = texts(language)
    webui.tab("txt2img")
    assert webui.text("goc_generate_txt2img").strip() == words["generate"]
    assert words["checkpoint"] in webui.text("goc_panel_txt2img")
    webui.says("goc_state_txt2img", words["gpu_awake"].partition(" ")[0])
    webui.click("goc_generate_txt2img")
    webui.says("goc_status_txt2img", words["no_checkpoint"])


def test_jobs_and_uploads_outlive_a_restart_of_the_host_in_each_language(
    own_host: OwnHost, cable: Cable, local_cloud: LocalCloud, service: GenerateOnCloud, checkpoint: str
) -> None:
    login = (cable.url, local_cloud.admin_key)
    with own_host.running(*login, localization="ja_JP") as address:
        webui = own_host.page(address)
        speaks(webui, "ja")
        webui.choose_checkpoint(checkpoint)
        name = large_vae(webui, f"restarted-{webui.host.kind.lower()}.safetensors")
        choose_file(webui, name, texts("ja")["not_on_cloud"])
        cable.hold(b"/parts", after=1)
        webui.click("goc_upload")
        webui.waits_for(lambda: one_part_arrived(service, name), "one part")
        job_id = long_job(
            webui, service, rounds=5
        )  # a real host takes up to 20 seconds to stop, and shows it until then

    cable.mend()
    with own_host.running(*login, localization="zh_CN") as address:
        webui.open(address)
        webui.says("html_log_txt2img", job_id)
        webui.says("html_log_txt2img", texts("zh")["saved_in"].partition("{")[0])
        speaks(webui, "zh")
        webui.choose_checkpoint(checkpoint)
        webui.tab("txt2img")
        assert sent(webui, service, "txt2img") != job_id

        choose_file(webui, name, texts("zh")["uploading"])
        cable.hold(b"/parts", after=1)  # the part that has arrived is not sent again
        webui.click("goc_upload")
        webui.says("goc_upload_progress", texts("zh")["uploaded"].format(name=name))
        webui.page.close()
