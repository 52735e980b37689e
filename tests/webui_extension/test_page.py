"""The page's own part of the panel, in both stand-in hosts, with a small server in place of the service."""

import base64
import io
import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Browser

from tests.webui_extension import hosts
from tests.webui_extension.canvases import NAMES, picture
from tests.webui_extension.hosts import Host, change_settings, prepare, running_host
from tests.webui_extension.service import Answer, Service, running_service
from tests.webui_extension.webui_page import WebUI

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
RUNS = 4.0
"""Seconds from a job's start to its end."""
SETTINGS = {"CLIP_stop_at_last_layers": 2, "img2img_color_correction": True, "samples_save": False}
"""Of the host: the first two change pictures."""
TESTS = itertools.count(1)
"""Numbers in the ids of jobs: the host remembers those of earlier tests."""
TAKES = 1.0
"""Seconds that the service needs to take a job: the next click comes meanwhile."""


class Jobs:
    """Jobs of the small server, numbered from 1 in each test."""

    def __init__(self, service: Service, test: str) -> None:
        self._service = service
        self._test = test
        self.begun: list[float] = []
        self.state: dict[str, Any] = {"status": "running", "run_seconds": 1}
        """What is said of a job before its end."""
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

    def job_id(self, number: int) -> str:
        return f"{self._test}-job-{number}"

    def _send(self, body: dict[str, Any]) -> Answer:
        time.sleep(TAKES)
        self.begun.append(time.monotonic())
        number, task = len(self.begun), body["task"]
        path = f"/prod/v1/jobs/{self.job_id(number)}"
        self._service.answers[f"GET {path}"] = lambda _: (200, self._job(number, task))
        self._service.answers[f"POST {path}/cancel"] = lambda _: (200, self._job(number, task))
        return 202, self._job(number, task)

    def _job(self, number: int, task: str) -> dict[str, Any]:
        job: dict[str, Any] = {"job_id": self.job_id(number), "task": task, **self.state}
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


@pytest.fixture(scope="module", params=hosts.stand_ins(), ids=str)
def host(request: pytest.FixtureRequest) -> Host:
    chosen: Host = request.param
    return chosen


@pytest.fixture(scope="module")
def small_service() -> Iterator[Service]:
    with running_service() as service:
        yield service


@pytest.fixture(scope="module")
def folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(host.kind)
    prepare(host, made)
    change_settings(host, made, SETTINGS)
    return made


@pytest.fixture(scope="module")
def address(host: Host, small_service: Service, folder: Path) -> Iterator[str]:
    login = {"GOC_URL": small_service.url, "GOC_API_KEY": "goc_key"}
    with running_host(host, folder, login) as started:
        yield started


@pytest.fixture
def jobs(small_service: Service) -> Jobs:
    small_service.requests.clear()
    return Jobs(small_service, f"test-{next(TESTS)}")


@pytest.fixture
def webui(host: Host, address: str, folder: Path, browser: Browser, jobs: Jobs) -> Iterator[WebUI]:
    """A page of the host, ready for a click on Generate on Cloud."""
    webui = WebUI(browser, address, host, folder)
    webui.choose_checkpoint("x.safetensors")
    yield webui
    assert not webui.errors
    webui.page.close()


def test_clicks_faster_than_the_service_takes_them_each_send_a_job(webui: WebUI, jobs: Jobs) -> None:
    for _ in range(3):
        webui.click("goc_generate_txt2img")

    webui.waits_for(lambda: len(jobs.begun) == 3, "three jobs")
    webui.says("html_log_txt2img", f"Job {jobs.job_id(3)}")
    webui.waits_for(lambda: not webui.watched("txt2img"), "the page lets all three go")
    assert len(jobs.begun) == 3
    assert json.loads(webui.value("generation_info_txt2img"))["seed"] == 3

    webui.click("goc_generate_txt2img")
    webui.waits_for(lambda: jobs.job_id(4) in webui.watched("txt2img"), "the page watches the fourth")
    webui.click("goc_interrupt_txt2img")
    webui.says("goc_message_txt2img", f"{jobs.job_id(4)} is being canceled")
    webui.says("html_log_txt2img", f"Job {jobs.job_id(4)}")


def test_a_click_that_gradio_drops_is_clicked_again(webui: WebUI, jobs: Jobs) -> None:
    webui.page.evaluate(
        "document.querySelector('#goc_generate_txt2img').addEventListener("
        "'click', (event) => event.stopImmediatePropagation(), {capture: true, once: true})"
    )

    webui.click("goc_generate_txt2img")
    webui.click("goc_generate_txt2img")

    webui.waits_for(lambda: len(jobs.begun) == 2, "both jobs")
    webui.says("html_log_txt2img", f"Job {jobs.job_id(2)}")
    assert len(jobs.begun) == 2


def test_the_button_takes_a_click_while_the_host_itself_draws(webui: WebUI, jobs: Jobs) -> None:
    """Both hosts then lay their Interrupt and Skip over all that is in the box of Generate."""
    webui.page.evaluate(
        "(() => { const box = document.querySelector('#goc_generate_txt2img').parentElement;"
        "box.style.position = 'relative';"
        "const interrupt = box.appendChild(document.createElement('button'));"
        "interrupt.style.cssText = 'position: absolute; left: 0; top: 0; width: 100%; height: 100%' })()"
    )

    webui.page.locator("#goc_generate_txt2img").first.click(timeout=5000)

    webui.waits_for(lambda: len(jobs.begun) == 1, "the job")


def test_a_click_that_gradio_takes_late_sends_one_job(webui: WebUI, jobs: Jobs) -> None:
    """On a busy machine the page clicks again although the first click was not lost."""
    webui.page.evaluate(
        "(() => { const submit = window.goc_submit_txt2img; window.late = 0;"
        "window.goc_submit_txt2img = async (...values) => {"
        "await new Promise((go) => setTimeout(go, 4000)); window.late += 1; return submit(...values); } })()"
    )

    webui.click("goc_generate_txt2img")

    webui.waits_for(lambda: webui.page.evaluate("window.late") >= 2, "the click and its repetition")
    webui.says("html_log_txt2img", f"Job {jobs.job_id(1)}")
    assert len(jobs.begun) == 1


def test_the_panel_says_what_a_job_costs_and_that_the_gpu_sleeps(
    webui: WebUI, jobs: Jobs, small_service: Service
) -> None:
    asleep = {"name": "e", "status": "InService", "instance_count": 0, "open_jobs": 2}
    small_service.answers["GET /prod/v1/endpoints"] = lambda _: (200, {"endpoints": [asleep]})
    month = {"days": [{"cost": "1.00", "jobs": 15}, {"cost": "0.20", "jobs": 5}]}
    small_service.answers["GET /prod/v1/usage"] = lambda _: (200, month)
    jobs.state = {"status": "queued", "starting_since": datetime.now(UTC).isoformat()}

    webui.click("goc_refresh_txt2img")
    webui.says("goc_state_txt2img", "e: GPU asleep: about 4 min · 2 jobs")
    assert "This month: $1.20 ($0.0600 a job)" in webui.text("goc_state_txt2img")

    webui.click("goc_generate_txt2img")
    webui.says("goc_status_txt2img", "GPU is waking up (usually about 4 min)")
    webui.says("html_log_txt2img", f"Job {jobs.job_id(1)}")


def test_a_picture_travels_without_its_metadata_and_with_the_settings_that_change_pictures(
    webui: WebUI, jobs: Jobs, small_service: Service, folder: Path
) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a secret prompt")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    webui.tab("img2img")
    canvas = NAMES["img2img"] if webui.host.kind == "AUTOMATIC1111" else f"{NAMES['img2img']}_background"
    webui.upload(canvas, picture(), pnginfo=texts, exif=exif)
    webui.resize_by(2)

    webui.click("goc_generate_img2img")

    webui.says("html_log_img2img", f"Job {jobs.job_id(1)}")
    (body,) = small_service.sent("POST /prod/v1/jobs")
    params = body["params"]
    content = base64.b64decode(params["init_images"][0].partition(",")[2])
    with Image.open(io.BytesIO(content)) as sent:
        assert (sent.size, sent.info, dict(sent.getexif())) == ((64, 64), {}, {})
    assert not any(secret in content for secret in (b"secret", b"home"))
    assert (params["width"], params["height"]) == (128, 128)
    assert params["override_settings"] == {"CLIP_stop_at_last_layers": 2, "img2img_color_correction": True}
    assert "Saved in" not in webui.text("html_log_img2img")  # the host's setting is off
    assert not list(folder.glob("outputs/**/*.png"))
