"""One thread for each open job keeps its newest state and, at the end, its pictures; none is left when all are done."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from webui_extension.core.connection import Connection
from webui_extension.core.errors import CloudError
from webui_extension.core.jobs import FINAL, Jobs

KEPT = 30
"""Finished jobs whose pictures stay in memory; older ones are fetched again when somebody asks."""
QUEUED_WAIT, RUNNING_WAIT = 5, 1
"""Whole seconds of a long poll: the place in a queue changes slowly, steps change quickly."""
AT_LEAST, LONGEST_PAUSE = 0.3, 30.0
GONE = (401, 403, 404)
"""Answers after which asking again is no use."""

Save = Callable[["JobState"], Sequence[str]]
"""Keeps a finished job's pictures on this machine; returns the files."""


@dataclass(frozen=True)
class JobState:
    """What is known about a job."""

    job: dict[str, Any]
    pictures: tuple[bytes, ...] = ()
    """The files, once it has succeeded."""
    preview: bytes | None = None
    trouble: str = ""
    """Why the newest state could not be read."""
    done: bool = False
    """Nothing more will change."""
    saved: tuple[str, ...] = field(default=())
    """Where the host saved the pictures."""
    notes: tuple[str, ...] = ()
    """What its picture lacks, such as a LoRA that the cloud does not have."""

    @property
    def job_id(self) -> str:
        return str(self.job["job_id"])


class Followers:
    """The jobs that somebody watches, by id."""

    def __init__(self, connect: Callable[[], Connection], save: Save = lambda _: ()) -> None:
        """`save` is called once for each job that succeeds, in the job's thread."""
        self._connect = connect
        self._save = save
        self._states: OrderedDict[str, JobState] = OrderedDict()
        self._lock = threading.Lock()
        self._pause = threading.Event()

    def follow(self, job: dict[str, Any], *, save: bool = True, notes: Sequence[str] = ()) -> JobState:
        """Begin to watch a job; one that is watched already is not watched twice.

        Without `save` its pictures are shown and not kept, such as those of an old job. `notes` are shown with it.
        """
        job_id = str(job["job_id"])
        with self._lock:
            known = self._states.get(job_id)
            if known is not None and not known.trouble:
                return known
            state = self._states[job_id] = JobState(job, notes=tuple(notes))
            while len(self._states) > KEPT and self._drop_oldest():
                pass
        threading.Thread(target=self._run, args=(job_id, save), name=f"generate-on-cloud {job_id}", daemon=True).start()
        return state

    def state(self, job_id: str) -> JobState | None:
        with self._lock:
            return self._states.get(job_id)

    def update(self, job_id: str, **changes: Any) -> JobState:
        with self._lock:
            state = self._states[job_id] = replace(self._states[job_id], **changes)
            return state

    def forget(self, job_id: str) -> None:
        """After a job was deleted."""
        with self._lock:
            self._states.pop(job_id, None)

    def _drop_oldest(self) -> bool:
        for job_id, state in self._states.items():
            if state.done:
                del self._states[job_id]
                return True
        return False

    def _run(self, job_id: str, save: bool) -> None:
        failures = 0
        try:
            while job_id in self._states:
                try:
                    if self._step(job_id, save):
                        break
                    failures = 0
                    self._pause.wait(AT_LEAST)  # a busy service answers a long poll at once
                except CloudError as error:
                    done = bool(error.code) and error.status in GONE  # storage answers without a code of ours
                    self.update(job_id, trouble=str(error), done=done)
                    if done:
                        break
                    failures += 1
                    self._pause.wait(min(LONGEST_PAUSE, 2.0**failures / 2))
        except KeyError:
            return  # forgotten meanwhile

    def _step(self, job_id: str, save: bool) -> bool:
        """Read the job once; True when it has ended and its pictures are here."""
        connection = self._connect()
        before = self._states[job_id].job
        wait = RUNNING_WAIT if before.get("status") == "running" else QUEUED_WAIT
        job = Jobs(connection).get(job_id, 0 if before.get("status") in FINAL else wait)
        if job["status"] in FINAL:
            images = (job.get("result") or {}).get("images", ())
            pictures = tuple(connection.read(image["url"]) for image in images)
            state = self.update(job_id, job=job, pictures=pictures, preview=None, trouble="")
            self.update(job_id, saved=tuple(self._save(state)) if save and pictures else (), done=True)
            return True
        preview = self._states[job_id].preview
        shown, known = ((each.get("progress") or {}).get("previews", 0) for each in (job, before))
        if job.get("preview_url") and (preview is None or shown != known):
            preview = connection.read(job["preview_url"])
        self.update(job_id, job=job, preview=preview, trouble="")
        return False
