"""The lists a job is in: an index of the jobs table for every way to narrow an owner's jobs.

So a page takes as many calls for one job in a million as for a million alike. The keys are of several attributes that
rows have anyway: whoever changes a status moves the job to other lists, the container too, which knows of none.
"""

from collections.abc import Iterable
from itertools import combinations

SORT = "created_at"
OPEN = "open"
"""Attribute of the jobs of all owners that are not settled."""
_NARROWED_BY = ("task", "status", "endpoint")

JOB_LISTS = (
    *(("owner", *some) for count in range(len(_NARROWED_BY) + 1) for some in combinations(_NARROWED_BY, count)),
    (OPEN,),
)
"""Attributes that together make the partition key of an index; each is sorted by `SORT`."""


def index_name(attributes: Iterable[str]) -> str:
    """Of the index with this partition key; the attributes in the order of `JOB_LISTS`."""
    return "-".join([*attributes, SORT])
