"""What a job's metadata say about the request that it answers, so that another process finds it again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from generate_on_cloud.faces.sdapi.orders import Order

FACE = "face"
SDAPI = "sdapi"
SERVER = "server"
REQUEST = "request"
_TASK = "task_id"
_BATCHES = "batches"
_STEPS = "steps"
_AWAITED_UNTIL = "awaited_until"
_DELIVERED = "delivered"
_LONGEST = 512
"""Characters of a value."""

DELIVERED: Mapping[str, str] = {_DELIVERED: "true"}
"""What a job gets once a client has its pictures."""


@dataclass(frozen=True)
class Note:
    """What is known of a request from its job alone."""

    request: str
    """Equal for requests for the same job at the same server."""
    task_id: str | None = None
    """`force_task_id`."""
    batches: int = 1
    """`n_iter`."""
    steps: int = 0
    """Of one batch, as requested."""
    awaited_until: datetime | None = None
    """Until then a client waits for it elsewhere; None: nobody does, since the process is gone that it asked."""
    delivered: bool = False


def server_key(name: str) -> str:
    """The value of SERVER for the server of this name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def request_key(server: str, order: Order) -> str:
    """The value of REQUEST."""
    return hashlib.sha256(f"{server} {order.identity}".encode()).hexdigest()[:32]


def written(server: str, order: Order) -> dict[str, str]:
    """The metadata of the job that is sent for `order`."""
    said = {
        FACE: SDAPI,
        SERVER: server,
        REQUEST: request_key(server, order),
        _BATCHES: str(order.batches),
        _STEPS: str(order.steps),
    }
    if order.task_id:
        said[_TASK] = order.task_id[:_LONGEST]
    return said


def awaited(until: datetime) -> dict[str, str]:
    """What a job gets when a client begins to wait for it, in a process that answers by then at the latest."""
    return {_AWAITED_UNTIL: until.astimezone(UTC).isoformat()}


def read(metadata: Mapping[str, str]) -> Note:
    """The note in a job's metadata; what is missing or no number has its default."""
    return Note(
        request=metadata.get(REQUEST, ""),
        task_id=metadata.get(_TASK),
        batches=_whole(metadata.get(_BATCHES), 1),
        steps=_whole(metadata.get(_STEPS), 0),
        awaited_until=_time(metadata.get(_AWAITED_UNTIL)),
        delivered=_DELIVERED in metadata,
    )


def _whole(text: Any, default: int) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else default


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
