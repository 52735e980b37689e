"""The page's own part of the panel, in both stand-in hosts, with a small server in place of the service."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.webui_extension import hosts
from tests.webui_extension.hosts import Host, prepare, running_host
from tests.webui_extension.service import Answer, Service
from tests.webui_extension.webui_page import WebUI

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
RUNS = 4.0
"""Seconds from a job's start to its end."""
TAKES = 1.0
"""Seconds that the service needs to take a job: the next click comes meanwhile."""


class Jobs:
    """Jobs of the small server, numbered from 1."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.begun: list[float] = []
        lists: dict[str, Any] = {
            "endpoints": {"endpoints": [{"name": "e", "status": "InService", "instance_count": 1}]},
            "assets": {"assets": [{"name": "x.safetensors", "status": "active"}], "next_cursor": None},
            "usage": {"days": []},
            "me": {"user": "admin", "role": "admin"},
            "jobs": {"jobs": [], "next_cursor": None},
        }
        for name, answer in lists.items():
            service.answers[f"GET /prod/v1/{name}"] = lambda _, answer=answer: (200, answer)  # type: ignore[misc]
        picture = io.BytesIO()
        Image.new("RGB", (64, 64), "red").save(picture, "PNG")
        service.answers["GET /prod/picture"] = lambda _: (200, picture.getvalue())
        service.answers["POST /prod/v1/jobs"] = self._send

    def _send(self, _: object) -> Answer:
        time.sleep(TAKES)
        self.begun.append(time.monotonic())
        number = len(self.begun)
        self._service.answers[f"GET /prod/v1/jobs/job-{number}"] = lambda _: (200, self._job(number))
        self._service.answers[f"POST /prod/v1/jobs/job-{number}/cancel"] = lambda _: (200, self._job(number))
        return 202, self._job(number)

    def _job(self, number: int) -> dict[str, Any]:
        job: dict[str, Any] = {"job_id": f"job-{number}", "task": "txt2img", "status": "running", "run_seconds": 1}
        if time.monotonic() - self.begun[number - 1] > RUNS:
            infotext = f"a\nSteps: 8, Seed: {number}"
            image = {"url": f"{self._service.url}/picture", "infotext": infotext}
            info = {"infotexts": [infotext], "all_seeds": [number], "seed": number, "index_of_first_image": 0}
            job |= {"status": "succeeded", "result": {"images": [image], "info": info}}
        return job


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with hosts.browser() as started:
        yield started


@contextmanager
def opened(host: Host, service: Service, folder: Path, browser: Browser) -> Iterator[WebUI]:
    """The page of a host, ready for a click on Generate on Cloud."""
    prepare(host, folder)
    login = {"GOC_URL": service.url, "GOC_API_KEY": "goc_key"}
    with running_host(host, folder, login) as address:
        webui = WebUI(browser, address, host, folder)
        webui.tab("txt2img")
        webui.says("goc_state_txt2img", "GPU awake")
        webui.choose("goc_checkpoint_txt2img", "x.safetensors")
        yield webui
        webui.page.close()


@pytest.mark.parametrize("host", hosts.stand_ins(), ids=str)
def test_clicks_faster_than_the_service_takes_them_each_send_a_job(
    host: Host, service: Service, tmp_path: Path, browser: Browser
) -> None:
    jobs = Jobs(service)
    with opened(host, service, tmp_path, browser) as webui:
        for _ in range(3):
            webui.click("goc_generate_txt2img")

        webui.waits_for(lambda: len(jobs.begun) == 3, "three jobs")
        webui.says("html_log_txt2img", "Job job-3")
        webui.waits_for(lambda: not webui.watched("txt2img"), "the page lets all three go")
        assert len(jobs.begun) == 3
        assert json.loads(webui.value("generation_info_txt2img"))["seed"] == 3

        webui.click("goc_generate_txt2img")
        webui.waits_for(lambda: "job-4" in webui.watched("txt2img"), "the page watches the fourth")
        webui.click("goc_interrupt_txt2img")
        webui.says("goc_message_txt2img", "job-4 is being canceled")
        webui.says("html_log_txt2img", "Job job-4")
        assert not webui.errors


@pytest.mark.parametrize("host", hosts.stand_ins(), ids=str)
def test_a_click_that_gradio_drops_is_clicked_again(
    host: Host, service: Service, tmp_path: Path, browser: Browser
) -> None:
    jobs = Jobs(service)
    with opened(host, service, tmp_path, browser) as webui:
        webui.page.evaluate(
            "document.querySelector('#goc_generate_txt2img').addEventListener("
            "'click', (event) => event.stopImmediatePropagation(), {capture: true, once: true})"
        )

        webui.click("goc_generate_txt2img")
        webui.click("goc_generate_txt2img")

        webui.waits_for(lambda: len(jobs.begun) == 2, "both jobs")
        webui.says("html_log_txt2img", "Job job-2")
        assert len(jobs.begun) == 2
        assert not webui.errors


@pytest.mark.parametrize("host", hosts.stand_ins(), ids=str)
def test_the_button_takes_a_click_while_the_host_itself_draws(
    host: Host, service: Service, tmp_path: Path, browser: Browser
) -> None:
    """Both hosts then lay their Interrupt and Skip over all that is in the box of Generate."""
    jobs = Jobs(service)
    with opened(host, service, tmp_path, browser) as webui:
        webui.page.evaluate(
            "(() => { const box = document.querySelector('#goc_generate_txt2img').parentElement;"
            "box.style.position = 'relative';"
            "const interrupt = box.appendChild(document.createElement('button'));"
            "interrupt.style.cssText = 'position: absolute; left: 0; top: 0; width: 100%; height: 100%' })()"
        )

        webui.page.locator("#goc_generate_txt2img").first.click(timeout=5000)

        webui.waits_for(lambda: len(jobs.begun) == 1, "the job")


@pytest.mark.parametrize("host", hosts.stand_ins(), ids=str)
def test_a_click_that_gradio_takes_late_sends_one_job(
    host: Host, service: Service, tmp_path: Path, browser: Browser
) -> None:
    """On a busy machine the page clicks again although the first click was not lost."""
    jobs = Jobs(service)
    with opened(host, service, tmp_path, browser) as webui:
        webui.page.evaluate(
            "(() => { const submit = window.goc_submit_txt2img; window.late = 0;"
            "window.goc_submit_txt2img = async (...values) => {"
            "await new Promise((go) => setTimeout(go, 4000)); window.late += 1; return submit(...values); } })()"
        )

        webui.click("goc_generate_txt2img")

        webui.waits_for(lambda: webui.page.evaluate("window.late") >= 2, "the click and its repetition")
        webui.says("html_log_txt2img", "Job job-1")
        assert len(jobs.begun) == 1
