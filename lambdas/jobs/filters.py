"""Which jobs a list shows: what an index answers by itself, and what only the rows can say."""

import json
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

from generate_on_cloud.contract.jobs import JobStatus, Task
from lambdas.jobs.record import JobRecord

Sort = Literal["newest", "oldest"]


@dataclass(frozen=True)
class JobFilter:
    owner: str
    task: Task | None = None
    status: JobStatus | None = None
    endpoint: str | None = None
    """SageMaker's name."""
    since: datetime | None = None
    """Created at this time or later."""
    until: datetime | None = None
    """Created before this time."""
    sort: Sort = "newest"
    model: str | None = None
    """Name of a model file, with or without extension, or its SHA-256."""
    label: str | None = None
    """Part of the label, in any case."""
    starred: bool | None = None
    metadata: tuple[str, str] | None = None
    """A key and its value."""
    words: tuple[str, ...] = ()
    """Each is a part of the prompt, in any case."""

    def partition(self) -> dict[str, str]:
        """The key of the list with these jobs: attributes and values, in the order of `JOB_LISTS`."""
        key = {"owner": self.owner, "task": self.task, "status": self.status, "endpoint": self.endpoint}
        return {name: value for name, value in key.items() if value is not None}

    @property
    def reads_rows(self) -> bool:
        """Whether it asks for something that no index has."""
        return (self.model, self.label, self.starred, self.metadata, self.words) != (None, None, None, None, ())

    def takes(self, job: JobRecord) -> bool:
        """Whether a job of the list matches; its status is looked at again, because an index lags a moment behind."""
        return (
            self.status in (None, job.status)
            and self.starred in (None, job.starred)
            and (self.label is None or self.label.casefold() in job.label.casefold())
            and (self.metadata is None or job.metadata.get(self.metadata[0]) == self.metadata[1])
            and (self.model is None or uses_model(job, self.model))
            and all(word.casefold() in job.prompt.casefold() for word in self.words)
        )

    def scope(self) -> str:
        """The list that a cursor belongs to."""
        return json.dumps(astuple(self), default=str)


def uses_model(job: JobRecord, model: str) -> bool:
    """Whether a job's checkpoint or another of its files has this name (any case, extension optional) or SHA-256."""
    wanted = model.casefold()
    names = [name.casefold() for name in (job.checkpoint, *(used.name for used in job.models)) if name]
    hashes = [used.sha256 for used in job.models]
    return wanted in names or wanted in hashes or any(wanted == PurePosixPath(name).stem for name in names)
