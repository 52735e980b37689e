"""The lists a job is in: one index of the jobs table for every way to filter an owner's jobs.

So a page takes the same number of calls whether one job in a million matches or all of them. The keys combine
attributes that rows have anyway: changing a job's status moves it to other lists, even if the container changes it.
"""

from collections.abc import Iterable
from itertools import combinations

SORT = "created_at"
OPEN = "open"
"""Attribute of all owners' jobs that are not settled."""
_NARROWED_BY = ("task", "status", "endpoint")

JOB_LISTS = (
    *(("owner", *some) for count in range(len(_NARROWED_BY) + 1) for some in combinations(_NARROWED_BY, count)),
    (OPEN,),
)
"""Attributes that together form the partition key of an index; each index is sorted by `SORT`."""


def index_name(attributes: Iterable[str]) -> str:
    """Name of the index with this partition key; attributes in the order of `JOB_LISTS`."""
    return "-".join([*attributes, SORT])
