"""Jobs that run: several at once, progress, interrupt, history, and pages that come back."""

from PIL import Image

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from tests.e2e.conftest import CHECKPOINT
from tests.e2e.requests import txt2img
from tests.e2e.webui_panel.sending import choose_newest, drawn, enlarge_newest, has_ended, long_job, sent
from tests.e2e.webui_panel.slow_container import MANY_STEPS
from tests.webui_extension.webui_page import WebUI

PAGE = 20
"""Jobs on a page of the history."""


def test_the_button_takes_the_next_job_at_once(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    before = {job.job_id for job in service.jobs.page(limit=100).jobs}

    for _ in range(3):  # faster than gradio 3 takes clicks
        webui.click("goc_generate_txt2img")

    def ended() -> list[str]:
        jobs = [job for job in service.jobs.page(limit=100).jobs if job.job_id not in before]
        return [job.status for job in jobs if job.status not in ("queued", "running")]

    assert webui.waits_for(lambda: len(ended()) >= 3, "three jobs, all drawn")
    webui.waits_for(lambda: not webui.watched("txt2img"), "all three have arrived")
    assert ended() == ["succeeded"] * 3


def test_a_running_job_shows_its_steps_and_a_preview_and_can_be_interrupted(
    webui: WebUI, service: GenerateOnCloud
) -> None:
    job_id = long_job(webui, service, rounds=10)
    card = webui.page.locator(f"#goc_status_txt2img .goc-card[data-job='{job_id}']").first
    card.locator("img").wait_for()
    assert "step" in str(card.text_content())

    webui.click("goc_interrupt_txt2img")

    webui.says("goc_message_txt2img", f"{job_id} is being canceled")
    webui.waits_for(lambda: not webui.watched("txt2img"), "the page lets the job go")
    assert service.jobs.get(job_id).status == "canceled"
    webui.says("goc_status_txt2img", "canceled")


def test_two_people_draw_at_the_same_time_and_the_host_is_free(
    webui: WebUI, service: GenerateOnCloud, checkpoint: str
) -> None:
    other = webui.another()
    other.choose_checkpoint(checkpoint)
    ours = long_job(webui, service, rounds=2)
    other.tab("txt2img")
    theirs = sent(other, service, "txt2img")
    other.says("goc_status_txt2img", "queued, ")
    if not webui.host.is_real:  # a real one would draw
        webui.click("txt2img_generate")
        webui.says("html_info_txt2img", "No checkpoints found")
        assert webui.watched("txt2img") == [ours]

    for page, job_id in ((other, theirs), (webui, ours)):
        page.says("html_log_txt2img", f"Job {job_id}")
    assert (webui.drawn_job("txt2img"), other.drawn_job("txt2img")) == (ours, theirs)
    assert not other.errors
    other.page.close()


def test_a_second_tab_of_the_same_browser_shows_the_job_too_and_cancels_its_own(
    webui: WebUI, service: GenerateOnCloud, checkpoint: str
) -> None:
    first = long_job(webui, service, rounds=2)
    twin = webui.twin()
    assert twin.watched("txt2img") == [first]
    twin.choose_checkpoint(checkpoint)
    twin.tab("txt2img")
    second = sent(twin, service, "txt2img")
    assert choose_newest(twin, service) == second
    twin.click("goc_cancel_txt2img")
    twin.says("goc_message_txt2img", f"{second} is being canceled")

    twin.says("goc_status_txt2img", f"{second}: canceled")
    for page in (webui, twin):
        page.says("html_log_txt2img", f"Job {first}")
    assert second not in webui.watched("txt2img")
    twin.page.close()


def test_the_history_has_older_pages(webui: WebUI, service: GenerateOnCloud) -> None:
    while len(service.jobs.page(limit=PAGE + 1).jobs) <= PAGE:
        job = service.jobs.submit(CreateJob(task=Task.TXT2IMG, params=txt2img(), checkpoint=CHECKPOINT))
        service.jobs.cancel(job.job_id)
    webui.tab("txt2img")
    choose_newest(webui, service)

    webui.click("goc_older_txt2img")

    older = service.jobs.page(limit=PAGE + 1).jobs[PAGE]
    webui.waits_for(lambda: webui.value("goc_histories_txt2img").endswith(older.job_id), older.line)


def test_the_history_shows_retries_and_deletes(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, service, "txt2img")
    newest = choose_newest(webui, service)

    webui.click("goc_retry_txt2img")
    webui.says("goc_message_txt2img", "Sent")
    webui.waits_for(lambda: service.jobs.page(limit=1).jobs[0].job_id != newest, "the second job")
    again = service.jobs.page(limit=1).jobs[0].job_id
    webui.says("html_log_txt2img", f"Job {again}")
    assert service.jobs.get(again).retry_of == newest

    webui.click("goc_show_txt2img")
    webui.says("html_log_txt2img", newest)

    webui.click("goc_delete_txt2img")
    webui.says("goc_message_txt2img", "Deleted")
    webui.waits_for(lambda: again in webui.value("goc_histories_txt2img"), "the history without the deleted job")
    assert newest not in {job.job_id for job in service.jobs.page(limit=100).jobs}


def test_a_picture_of_the_history_is_enlarged_in_the_cloud(webui: WebUI, service: GenerateOnCloud) -> None:
    webui.tab("txt2img")
    drawn(webui, service, "txt2img")

    enlarge_newest(webui, service)

    webui.says("html_info_txt2img", "Postprocess upscale by: 2")

    (file,) = (webui.folder / "outputs").glob("extras*/**/*.png")
    with Image.open(file) as saved:
        assert saved.size == (128, 128)
        assert "Steps: 8" in saved.info["parameters"]


def test_a_page_that_is_reloaded_takes_its_job_up_again(
    webui: WebUI, service: GenerateOnCloud, checkpoint: str
) -> None:
    job_id = long_job(webui, service, rounds=2)

    webui.open(webui.address)

    assert not has_ended(service, job_id)
    webui.says("html_log_txt2img", f"Job {job_id}")
    webui.page.wait_for_selector("#txt2img_gallery img")
    webui.choose_checkpoint(checkpoint)  # the page forgets its choices, as the host's own


def test_a_job_goes_on_when_the_browser_is_closed(webui: WebUI, service: GenerateOnCloud, checkpoint: str) -> None:
    leaving = webui.another()
    leaving.choose_checkpoint(checkpoint)
    files = set((webui.folder / "outputs").glob("txt2img*/**/*.png"))
    job_id = long_job(leaving, service)
    leaving.page.close()

    webui.waits_for(lambda: has_ended(service, job_id), f"the end of {job_id}")
    saved = webui.waits_for(
        lambda: set((webui.folder / "outputs").glob("txt2img*/**/*.png")) - files, "its picture in the host's folder"
    )
    with Image.open(saved.pop()) as image:
        assert f"Steps: {MANY_STEPS}" in image.info["parameters"]
    webui.tab("txt2img")
    assert choose_newest(webui, service) == job_id
    webui.click("goc_show_txt2img")
    webui.says("html_log_txt2img", f"Job {job_id}")
