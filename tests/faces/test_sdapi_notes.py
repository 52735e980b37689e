"""A job's metadata say which request it answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.faces.sdapi.notes import DELIVERED, Note, awaited, read, request_key, server_key, written
from generate_on_cloud.faces.sdapi.orders import drawing_order
from generate_on_cloud.faces.sdapi.settings import Settings
from tests.faces.shelves import SHELF

BODY = {"prompt": "a", "seed": 5, "n_iter": 3, "steps": 7, "force_task_id": "task(1)"}
UNTIL = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def key(server: str = "pc:7860", **changes: Any) -> str:
    return request_key(server_key(server), drawing_order(Task.TXT2IMG, BODY | changes, Settings(), SHELF))


def test_what_is_written_is_read_again() -> None:
    metadata = written(server_key("pc:7860"), drawing_order(Task.TXT2IMG, BODY, Settings(), SHELF))

    assert read(metadata) == Note(key(), "task(1)", batches=3, steps=7)
    assert read({**metadata, **awaited(UNTIL), **DELIVERED}) == Note(
        key(), "task(1)", batches=3, steps=7, awaited_until=UNTIL, delivered=True
    )


@pytest.mark.parametrize("metadata", [{}, {"batches": "-1", "steps": "²", "awaited_until": "soon"}])
def test_what_somebody_else_wrote_has_the_defaults(metadata: dict[str, str]) -> None:
    assert read(metadata) == Note("")


def test_the_key_is_the_requests_and_the_servers() -> None:
    assert key(force_task_id="task(2)") == key()
    assert len({key(), key(seed=6), key("pc:7870")}) == 3
    assert "pc" not in server_key("pc:7860")
