"""One job of a caller, from the request on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.job_bodies import JobView
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.faces.sdapi.notes import Note
from generate_on_cloud.faces.sdapi.orders import Order


@dataclass(eq=False)
class Work:
    """A job and the clients that wait for it."""

    note: Note
    order: Order | None = None
    """The request; None while only another process has seen one."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is nothing more to wait for."""
    job: JobView | None = None
    """As it was last seen; None until the cloud has accepted it."""
    error: CloudError | None = None
    """Why there is no job, or why it cannot be followed."""
    waiting: int = 0
    """Clients that wait for it now, in this process."""
    was_delivered: bool = False
    ended_at: float | None = None
    """By the clock of `Works`."""
    preview: tuple[int, bytes] | None = None
    """The latest preview that was fetched, with its number."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.ended_at is not None

    @property
    def is_lost(self) -> bool:
        """Whether it ended without a result."""
        return self.has_ended and (self.job is None or self.job.status is not JobStatus.SUCCEEDED)

    def serves(self, request: str, *, repeatable: bool, now: datetime) -> bool:
        """Whether this job answers the request too.

        Where chance decides, two requests ask for two pictures, unless the first one's client left without its answer.
        """
        if request != self.note.request or self.is_lost or (self.job and self.job.cancel_requested):
            return False
        is_awaited = self.waiting > 0 or (self.note.awaited_until is not None and now < self.note.awaited_until)
        return repeatable or not (is_awaited or self.was_delivered)


Report = Callable[[Work], None]
"""Called in the job's thread when it was sent and when it has ended."""
