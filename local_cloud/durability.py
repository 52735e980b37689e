"""No acknowledged write is lost if this process is killed: what is saved when, and what is replayed at the start.

- DynamoDB writes go to the journal before they are answered (microseconds, however large the tables are); the tables
  themselves are saved when the journal has grown, after a deployment and at the end.
- S3 objects are already files; the buckets' own settings and the few other services are saved completely before the
  answer (a few milliseconds, rarely).
- Stacks are saved when an operation on them has finished. If killed half-way, the stack is as before the operation.
"""

import asyncio
import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from functools import partial

from local_cloud.journal import Journal, JournaledWrite
from local_cloud.ministack.emulator import Emulator, ServiceRequest
from local_cloud.settings import LocalSettings

logger = logging.getLogger("local_cloud.durability")

JOURNALED = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
        "UpdateTimeToLive",
    }
)
"""DynamoDB actions that replay exactly; any other write saves the tables."""

_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Head", "Search", "Receive", "GET", "HEAD")
_FREEING = ("Delete", "Purge", "Remove", "DELETE")
"""These make room."""
_ROOM_BYTES = 16 * 1024**2
"""Free space that a change needs, for the state of its service."""
_UNSAVED_SERVICES = frozenset({"logs", "monitoring", "sts", "cloudtrail"})
"""Telemetry and sessions: kept in memory and saved at the end."""

MAX_JOURNAL_BYTES = 8 * 1024**2
_GENERATION = "local_cloud_journal_generation"


class Durability:
    """Watches the services and saves what must be on disk before an answer is sent."""

    def __init__(
        self, settings: LocalSettings, emulator: Emulator, *, max_journal_bytes: int = MAX_JOURNAL_BYTES
    ) -> None:
        self._emulator = emulator
        self._folder = settings.emulator_dir
        self._journal = Journal(settings.emulator_dir)
        self._max_journal_bytes = max_journal_bytes
        self._stacks_unsaved = False
        self._settling: asyncio.Task[None] | None = None

    async def replay(self) -> int:
        """Repeat the writes since the tables were saved; returns their number. Runs once, before any request."""
        path = self._emulator.state.path("dynamodb")
        saved = json.loads(path.read_text())["payload"].get(_GENERATION, 0) if path.exists() else 0
        count = 0
        for write in self._journal.replay(after=saved):
            status = await self._emulator.repeat_write(
                account=write.account, region=write.region, action=write.action, body=write.body
            )
            count += 1
            if status >= 300:
                # Its table was created by a deployment that never finished and is lost with it.
                logger.warning("a %s made during an interrupted deployment was dropped", write.action)
        if count:
            self.save(["dynamodb"])
        return count

    def before(self, request: ServiceRequest) -> Callable[[], None]:
        """Make sure that what `request` is about to change can be saved; call the result when it has been answered.

        Raises:
            OSError: there is no room for it on the disk, so it must not be applied.
        """
        if request.service == "dynamodb" and request.action in JOURNALED:
            return partial(self._journal.give_back, self._journal.make_room(_journaled(request)))
        is_harmless = request.action.startswith((*_READS, *_FREEING)) or request.service in _UNSAVED_SERVICES
        if not is_harmless and shutil.disk_usage(self._folder).free < _ROOM_BYTES + len(request.body):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        return _nothing

    def after(self, request: ServiceRequest) -> None:
        """Save what `request` changed. Runs between the service and its answer.

        Raises:
            OSError: it could not be saved, so it must not be acknowledged.
        """
        if request.service == "dynamodb" and request.action in JOURNALED:
            self._journal.append(_journaled(request))
            if self._journal.size > self._max_journal_bytes and not self._emulator.state.stack_in_progress():
                self.save(["dynamodb"])
        elif request.service == "cloudformation":
            self._stacks_changed(request.action)
        elif request.action.startswith(_READS) or request.service in _UNSAVED_SERVICES or self._is_data(request):
            return
        elif not self._emulator.state.stack_in_progress():
            self.save(self._emulator.state.keys(request.service))

    @staticmethod
    def _is_data(request: ServiceRequest) -> bool:
        """S3 objects are already on disk; invoking a function changes no function."""
        if request.service == "s3":
            return "/" in request.path.strip("/") or request.action == "POST"
        return request.service == "lambda" and request.path.endswith("/invocations")

    def _stacks_changed(self, action: str) -> None:
        if not action.startswith(_READS) and action != "ValidateTemplate":
            self._stacks_unsaved = True
            if self._settling is None or self._settling.done():
                self._settling = asyncio.create_task(self._settle())
        # A finished stack must be on disk before anyone learns about it.
        self._save_stacks()

    async def _settle(self) -> None:
        while self._stacks_unsaved:
            await asyncio.sleep(0.05)
            self._save_stacks()

    def _save_stacks(self) -> None:
        if self._stacks_unsaved and not self._emulator.state.stack_in_progress():
            self.save_all()
            self._stacks_unsaved = False

    def save_all(self) -> None:
        """Save every service.

        Raises:
            OSError: the disk is full or unavailable.
        """
        self.save(self._emulator.state.keys())

    def save(self, keys: Iterable[str]) -> None:
        """Save the services with these state files; they include everything that began before this call.

        Raises:
            OSError: the disk is full or unavailable.
        """
        for key in keys:
            if key == "dynamodb":
                self._emulator.state.save(key, {_GENERATION: self._journal.generation})
                self._journal.rotate()
            else:
                self._emulator.state.save(key)

    def close(self) -> None:
        """Save everything one last time, except an unfinished operation on a stack."""
        if self._settling is not None:
            self._settling.cancel()
        if self._emulator.state.stack_in_progress():
            logger.warning("stopped during a deployment; the stack stays as it was before")
            return
        self.save_all()


def _journaled(request: ServiceRequest) -> JournaledWrite:
    return JournaledWrite(
        account=request.account, region=request.region, action=request.action, body=request.body.decode()
    )


def _nothing() -> None:
    pass
