"""`make local` and `make demo` print a link that opens the console signed in."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from demo_models import demo
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import free_port
from local_cloud.settings import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
LINK = re.compile(r"^ +(http://127\.0\.0\.1:\d+/#code=\S+)$", re.MULTILINE)


@contextmanager
def local(state: Path) -> Iterator["subprocess.Popen[str]"]:
    """What `make local` runs, until Ctrl-C."""
    command = [sys.executable, "-m", "local_cloud", "--state-dir", str(state), "--port", str(free_port())]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def read_until_link(process: "subprocess.Popen[str]") -> str:
    text = ""
    assert process.stdout is not None
    while not LINK.search(text) and (line := process.stdout.readline()):
        text += line
    return text


def opens_signed_in(browser: Browser, text: str) -> bool:
    (link,) = LINK.findall(text)
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(link)
    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible(timeout=120_000)
    signed_in = "code" not in page.url and page.get_by_label("API key").count() == 0
    page.close()
    return signed_in


def test_the_local_cloud_and_a_demo_on_it_print_a_link_that_opens_signed_in(
    browser: Browser, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "run_demo", lambda *_, **__: None)
    with local(tmp_path / "state") as process:
        assert opens_signed_in(browser, read_until_link(process))
        code = demo.main(["--state-dir", str(tmp_path / "state"), "--out", str(tmp_path)])
        assert opens_signed_in(browser, capsys.readouterr().out)

    assert (code, process.returncode) == (0, 0)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_demo_keeps_its_cloud_running_only_in_a_terminal(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    waited: list[str] = []

    def interrupted() -> None:
        waited.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_demo", lambda *_, **__: None)
    monkeypatch.setattr(demo, "LocalCloud", lambda *_, **__: cloud)
    monkeypatch.setattr(cloud, "attach", lambda: False)
    monkeypatch.setattr(cloud, "start", lambda: cloud)
    monkeypatch.setattr(cloud, "stop", lambda: 0)
    monkeypatch.setattr(signal, "pause", interrupted)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)

    assert demo.main([]) == 0

    assert [bool(LINK.search(text)) for text in waited] == ([True] if terminal else [])
    assert terminal or "make local" in capsys.readouterr().out
