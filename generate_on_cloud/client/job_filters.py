"""What a list of jobs can be narrowed by, as keyword arguments and as the query of `GET /v1/jobs`."""

from datetime import datetime
from typing import Literal, TypedDict

from generate_on_cloud.contract.jobs import JobStatus, Task


class JobFilters(TypedDict, total=False):
    """All optional; None is the same as left out."""

    task: Task | None
    status: JobStatus | None
    endpoint: str | None
    owner: str | None
    """Another user; needs `inference:all`."""
    created_from: datetime | str | None
    """Created at this time or later; with a time zone, also as ISO 8601."""
    created_before: datetime | str | None
    sort: Literal["newest", "oldest"] | None
    model: str | None
    """Name of a model file that the job uses, with or without extension, or its SHA-256."""
    label: str | None
    """Part of the label."""
    starred: bool | None
    metadata: tuple[str, str] | None
    """A key and its value."""
    q: str | None
    """Words that the prompt contains."""


_NAMES = {"created_from": "from", "created_before": "to"}
"""Where the query has another name."""


def query_of(filters: JobFilters) -> dict[str, str]:
    """The query parameters for these filters."""
    return {_NAMES.get(name, name): _text(value) for name, value in filters.items() if value is not None}


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case (str() as key, str() as wanted):
            return f"{key}={wanted}"
    return str(value)
