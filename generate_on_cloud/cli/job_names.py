"""The ids of jobs as people type them: whole, the last characters that the table shows, or `last`."""

import itertools
import re
from typing import Annotated

import typer

from generate_on_cloud.cli.completion import job_ids
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import NotFoundError

SHORT = 8
"""Characters that a narrow table shows: the end of an id, for its beginning is the time."""
LOOKED_AT = 1000
"""Jobs among which a short id is looked for, newest first."""
JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="Id, its last characters, or `last`.", autocompletion=job_ids)
]
JobIds = Annotated[
    list[str], typer.Argument(metavar="JOB...", help="Ids, their last characters, or `last`.", autocompletion=job_ids)
]


def job_id_of(cloud: GenerateOnCloud, reference: str) -> str:
    """The whole id.

    Raises:
        NotFoundError: no job, or more than one, ends in these characters.
    """
    if reference == "last":
        for job in cloud.jobs.page(limit=1).jobs:
            return job.job_id
        raise NotFoundError("there are no jobs yet")
    if not re.fullmatch(r"[0-9a-f]{4,12}", reference):
        return reference
    newest = itertools.islice(cloud.jobs.list(), LOOKED_AT)
    found = [job.job_id for job in newest if job.job_id.endswith(reference)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"none of your latest {LOOKED_AT} jobs has an id that ends in {reference}")
    raise NotFoundError(f"{reference} is the end of several ids: {', '.join(found)}; give a whole one")
