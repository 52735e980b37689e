"""Model files in a browser, against the real local cloud: going on after a crash, already there, changed, deleted."""

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, expect
from safetensors.torch import save_file

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.console.conftest import CHROMIUM, FLAGS
from tests.console.jobs import submit
from tests.console.model_files import MIB, stretched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
expect.set_options(timeout=60_000)
PARTS_OF = 64 * MIB
SIZE = int(os.environ.get("CONSOLE_UPLOAD_BYTES", 9 * PARTS_OF))
"""At 40 % of it, with three parts on their way, at least one has arrived. `make console-slow-test` sends 2 GiB."""
SENT = 240_000 + SIZE // 4_000
"""Milliseconds until a file has been sent and inspected, on a busy machine."""


class Crashing:
    """A browser with a profile on disk that can be killed and started again."""

    def __init__(self, kind: BrowserType, profile: Path, cloud: LocalCloud) -> None:
        self.kind, self.profile, self.cloud = kind, profile, cloud

    def start(self) -> tuple[BrowserContext, Page]:
        context = self.kind.launch_persistent_context(
            str(self.profile), executable_path=CHROMIUM, args=FLAGS, locale="en-US"
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(f"sessionStorage.setItem('goc.key', {json.dumps(self.cloud.admin_key)})")
        page.goto(f"{self.cloud.endpoint_url}/#/assets", wait_until="domcontentloaded")
        return context, page

    def kill(self) -> None:
        """End every process that has this profile, without a word to them."""
        for process in psutil.process_iter(["cmdline"]):
            if str(self.profile) in " ".join(process.info["cmdline"] or []):
                os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def crashing(tmp_path: Path, cloud: LocalCloud, browser: Browser) -> Iterator[Crashing]:
    found = Crashing(browser.browser_type, tmp_path / "profile", cloud)
    yield found
    found.kill()


def test_an_upload_goes_on_after_the_browser_was_killed(crashing: Crashing, cloud: LocalCloud, tmp_path: Path) -> None:
    file = tmp_path / "large.safetensors"
    sha256 = stretched(file, SIZE)
    _, page = crashing.start()
    page.locator("input[type=file]").first.set_input_files(file)
    page.wait_for_function(
        """() => {
            const bar = document.querySelector("[role=progressbar][aria-label='Upload of large.safetensors']");
            return bar && Number(bar.getAttribute("aria-valuenow")) >= 40;
        }""",
        timeout=SENT,
        polling=20,
    )
    crashing.kill()

    _, page = crashing.start()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    row = page.get_by_role("row").filter(has_text="large.safetensors")
    expect(row).to_contain_text("uploading")
    row.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("status").filter(has_text="ready")).to_be_visible(timeout=SENT)

    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        stored = next(asset for asset in service.assets.list() if asset.name == "large.safetensors")
        service.assets.delete(stored.asset_id)
    assert (stored.status, stored.sha256) == ("active", sha256)
    assert len(sent) < -(-file.stat().st_size // PARTS_OF), "what storage had is not sent again"


def test_a_file_of_another_size_does_not_go_on(open_page: OpenPage, cloud: LocalCloud, tmp_path: Path) -> None:
    wrong = tmp_path / "half.safetensors"
    wrong.write_bytes(b"short")
    body = {"type": "checkpoint", "name": "half.safetensors", "size": 1_000_000, "checksum_algorithm": "SHA256"}
    begun = httpx.post(f"{cloud.api_url}/v1/assets", headers={"x-api-key": cloud.admin_key}, json=body)
    page = open_page("/assets")
    row = page.get_by_role("row").filter(has_text="half.safetensors")
    row.locator("input[type=file]").set_input_files(wrong)

    expect(row.get_by_role("alert")).to_have_text("This file has 5 B, the upload 1.0 MB. Choose the same file.")
    row.get_by_role("button", name="Delete half.safetensors").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert begun.status_code == 201


def test_a_file_that_is_there_under_another_name_is_not_sent_again(open_page: OpenPage, tmp_path: Path) -> None:
    copy = tmp_path / "renamed on my disk.safetensors"
    copy.write_bytes(TRAINED.read_bytes())
    page = open_page("/assets")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.locator("input[type=file]").first.set_input_files(copy)

    expect(page.get_by_text("The cloud has this file already, as shapes.safetensors.")).to_be_visible()
    assert sent == []


def test_an_embedding_is_renamed_tagged_given_a_picture_reserved_deleted_and_restored(
    open_page: OpenPage, cloud: LocalCloud, tmp_path: Path
) -> None:
    file = tmp_path / "style.safetensors"
    save_file({"emb_params": torch.full((2, 768), 0.01)}, file)
    drawn = tmp_path / "drawn.png"
    Image.new("RGB", (1024, 512), "orange").save(drawn)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        made = service.assets.upload(file, "embedding")
    page = open_page("/assets")
    page.get_by_role("button", name="Change style.safetensors").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("File name").fill("bold.pt")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A value is missing or not allowed")
    dialog.get_by_label("File name").fill("bold.safetensors")
    dialog.get_by_label("Description").fill("for <b>posters</b>")
    dialog.get_by_role("group", name="Picture").locator("input[type=file]").set_input_files(drawn)
    for field, word in (("Tags", "poster"), ("Trigger words", "bold style"), ("Only for these roles", "admin")):
        dialog.get_by_label(field).first.fill(word)
        dialog.get_by_label(field).first.press("Enter")
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="bold.safetensors")
    expect(row).to_contain_text("for <b>posters</b>")
    expect(row).to_contain_text("#poster · bold style")
    expect(row).to_contain_text("only for admin")
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        changed = service.assets.get(made.asset_id)
    assert (changed.tags, changed.trained_words, changed.roles) == (["poster"], ["bold style"], ["admin"])
    assert changed.picture_url is not None
    with Image.open(io.BytesIO(httpx.get(changed.picture_url).content)) as small:
        assert (small.format, small.size) == ("WEBP", (512, 256))
    shown = row.locator("img.asset-picture")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512

    page.goto(f"{cloud.endpoint_url}/#/generate/txt2img")
    page.get_by_role("button", name="LoRA, hypernetworks, embeddings").click()
    page.get_by_text("Embedding", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="bold").locator("img.asset-picture")).to_be_visible()
    page.goto(f"{cloud.endpoint_url}/#/assets")
    row.get_by_role("button", name="Change bold.safetensors").click()
    dialog.get_by_role("group", name="Picture").get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Save").click()
    expect(shown).to_have_count(0)

    row.get_by_role("button", name="Delete bold.safetensors").click()
    expect(dialog).to_contain_text("None of your jobs has used it.")
    expect(dialog).to_contain_text("You can restore it for 7 days.")
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    deleted = page.get_by_role("checkbox", name="Deleted files")
    deleted.check()
    expect(row).to_contain_text("can be restored until")
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    deleted.uncheck()
    expect(row).to_contain_text("ready")
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.delete(made.asset_id)


def test_where_nothing_is_kept_the_question_before_a_deletion_says_so(open_page: OpenPage, cloud: LocalCloud) -> None:
    can = httpx.get(f"{cloud.api_url}/v1/capabilities").json() | {"deleted_models_days": 0}
    page = open_page("/assets", signed_in=False)
    page.route("**/v1/capabilities", lambda route: route.fulfill(json=can))
    page.evaluate("key => sessionStorage.setItem('goc.key', key)", cloud.admin_key)
    page.reload()
    page.get_by_role("button", name="Delete shapes.safetensors").click()
    dialog = page.get_by_role("dialog")

    expect(dialog).to_contain_text("It cannot be undone.")
    assert page.get_by_role("checkbox", name="Deleted files").count() == 0


def test_deleting_a_checkpoint_says_which_jobs_have_used_it(open_page: OpenPage, cloud: LocalCloud) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        job = service.jobs.finish(submit(service).job_id)
    page = open_page("/assets")
    page.get_by_role("button", name="Delete shapes.safetensors").click()
    dialog = page.get_by_role("dialog")

    expect(dialog.get_by_role("list", name="Used by these jobs")).to_contain_text(job.job_id)
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "said"), [("notes.txt", "names ending in .safetensors, .ckpt"), ("empty.safetensors", "received '0'")]
)
def test_a_file_that_the_service_does_not_take_says_what_is_allowed(
    open_page: OpenPage, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / name).write_bytes(b"x" if name == "notes.txt" else b"")
    page = open_page("/assets")
    page.locator("input[type=file]").first.set_input_files(tmp_path / name)

    expect(page.get_by_role("alert")).to_contain_text(said)
