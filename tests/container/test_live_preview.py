"""The preview's thread: only the newest is stored, and nothing that goes wrong with it reaches the job."""

import threading

import pytest
from botocore.exceptions import EndpointConnectionError

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.messages import Progress
from inference_container.heartbeat import Heartbeat
from inference_container.live_preview import LivePreview
from tests.container.conftest import Cloud
from tests.container.watched_records import watched


class Shelf:
    """Where previews are put; the first ones fail on request."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.stored: list[bytes] = []
        self.tried = threading.Semaphore(0)

    def store(self, data: bytes) -> None:
        try:
            if self.failures:
                raise self.failures.pop(0)
            self.stored.append(data)
        finally:
            self.tried.release()

    def wait(self) -> None:
        assert self.tried.acquire(timeout=20)


def test_the_newest_preview_is_stored_and_counted() -> None:
    shelf, counted = Shelf(), threading.Semaphore(0)

    preview = LivePreview(shelf.store, stored=counted.release, seconds=0.01)
    for render in (lambda: b"old", lambda: b"new"):
        preview.offer(render)
    with preview:
        shelf.wait()
        assert counted.acquire(timeout=20)

    assert shelf.stored == [b"new"]


def test_a_store_that_fails_costs_one_preview() -> None:
    shelf, counted = Shelf(EndpointConnectionError(endpoint_url="s3")), threading.Semaphore(0)

    with LivePreview(shelf.store, stored=counted.release, seconds=0.01) as preview:
        preview.offer(lambda: b"lost")
        shelf.wait()
        preview.offer(lambda: b"kept")
        shelf.wait()
        assert counted.acquire(timeout=20)

    assert shelf.stored == [b"kept"]


def test_a_preview_that_cannot_be_made_ends_previews_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    shelf, rendered = Shelf(), threading.Event()

    def broken() -> bytes:
        rendered.set()
        raise ZeroDivisionError

    with LivePreview(shelf.store, stored=lambda: None, seconds=0.01) as preview:
        preview.offer(broken)
        assert rendered.wait(20)

    assert shelf.stored == []
    assert "this job will have no more previews" in caplog.text


def test_the_heartbeat_tells_how_many_previews_there_are(cloud: Cloud) -> None:
    records = watched(cloud)

    with Heartbeat(records, "j", seconds=0.01) as heartbeat:
        heartbeat.note_preview()
        heartbeat.report(Progress(phase=JobPhase.SAMPLING, step=3, steps=9))
        heartbeat.note_preview()
        records.wait_for(len(records.beats) + 2)

    assert Progress(phase=JobPhase.SAMPLING, step=3, steps=9, previews=2) in records.beats
    assert records.beats[-1] == Progress(phase=JobPhase.SAMPLING, step=9, steps=9, previews=2)
    assert cloud.job("j")["progress"]["M"]["previews"] == {"N": "2"}
