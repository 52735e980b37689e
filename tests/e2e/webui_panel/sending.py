"""Press the button, find the job, wait for its pictures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.e2e.webui_panel.slow_container import MANY_STEPS
from tests.webui_extension.webui_page import WebUI

WEIGHTS = Path(__file__).parents[3] / "demo_models" / "weights"


def sent(webui: WebUI, service: GenerateOnCloud, tab: str) -> str:
    """Press Generate on Cloud; the id of the new job."""
    known = {job.job_id for job in service.jobs.page(limit=100).jobs}
    webui.click(f"goc_generate_{tab}")
    return webui.waits_for(
        lambda: next((job.job_id for job in service.jobs.page(limit=100).jobs if job.job_id not in known), ""),
        f"a new job of {tab}",
    )


def drawn(webui: WebUI, service: GenerateOnCloud, tab: str) -> dict[str, Any]:
    """The `info` of the picture that arrives in the Output section after the click."""
    known = webui.value(f"generation_info_{tab}")
    return webui.info(tab, sent(webui, service, tab), known=known)


def sent_params(service: GenerateOnCloud) -> dict[str, Any]:
    """What the newest job was drawn with, as its result repeats it."""
    job = service.jobs.get(service.jobs.page(limit=1).jobs[0].job_id)
    assert job.result is not None
    return job.result.parameters


def long_job(webui: WebUI, service: GenerateOnCloud, *, rounds: int = 1) -> str:
    """Send a job of txt2img that runs for six seconds or more in each of its rounds; the page watches it."""
    webui.tab("txt2img")
    webui.number("txt2img_steps", MANY_STEPS)
    webui.number("txt2img_batch_count", rounds)
    job_id = sent(webui, service, "txt2img")
    webui.waits_for(lambda: job_id in webui.watched("txt2img"), f"the page watches {job_id}")
    return job_id


def has_ended(service: GenerateOnCloud, job_id: str) -> bool:
    return service.jobs.get(job_id).status not in ("queued", "running")


def choose_newest(webui: WebUI, service: GenerateOnCloud) -> str:
    """Have the history choose the newest job; its id."""
    webui.click("goc_newest_txt2img")
    newest = service.jobs.page(limit=1).jobs[0]
    webui.waits_for(lambda: webui.value("goc_histories_txt2img").endswith(f"→ {newest.job_id}"), newest.line)
    assert webui.value("goc_histories_txt2img").count("→") == 3
    return newest.job_id


@contextmanager
def logged_in(webui: WebUI, **login: str) -> Iterator[None]:
    """The panel has another `url` or `api_key` meanwhile, as if its user had entered it."""
    file = webui.folder / "configuration" / "generate-on-cloud" / "webui.json"
    before = file.read_text()
    file.write_text(json.dumps({**json.loads(before), **login}))
    try:
        yield
    finally:
        file.write_text(before)


def newest_job(service: GenerateOnCloud) -> str:
    """Its id; "" if there is none."""
    jobs = service.jobs.page(limit=1).jobs
    return jobs[0].job_id if jobs else ""


def enlarge_newest(webui: WebUI, service: GenerateOnCloud) -> None:
    """Have the newest job's picture enlarged in the cloud, and wait for it in the Output section."""
    newest = choose_newest(webui, service)
    webui.click("goc_upscale_txt2img")
    webui.waits_for(lambda: service.jobs.page(limit=1).jobs[0].job_id != newest, "the enlargement")
    webui.says("html_log_txt2img", service.jobs.page(limit=1).jobs[0].job_id)
