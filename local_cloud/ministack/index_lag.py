"""Global secondary indices that show a write some time after their table, as DynamoDB's do."""

import copy
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local_cloud.ministack.patches import replace

Key = tuple[Any, Any]
"""Partition and sort value of a row, as ministack keeps them."""


class IndexLag:
    """Created once; it installs itself in ministack. Everything runs on the event loop's thread."""

    def __init__(self, longest_seconds: float, *, seed: int) -> None:
        """Each write is seen after a random time of up to `longest_seconds`, those of one row in their order."""
        self._longest = longest_seconds
        self._lot = random.Random(seed)
        self._unseen: defaultdict[str, dict[Key, deque[tuple[float, Any]]]] = defaultdict(dict)
        """Table → row → its writes that indices do not show yet: when they will, and the row before (None: absent)."""
        replace("services.dynamodb._emit_stream_event", self._noting)
        replace("services.dynamodb._query", self._late)
        replace("services.dynamodb._scan", self._late)

    def _noting(self, emit: Callable[..., None]) -> Callable[..., None]:
        from ministack.services import dynamodb

        def noted(name: str, event: str, old: Any, new: Any, *rest: Any, **named: Any) -> None:
            table = dynamodb._tables.get(name)  # noqa: SLF001
            if self._longest and table and table.get("GlobalSecondaryIndexes"):
                self._note(table, old, new)
            emit(name, event, old, new, *rest, **named)

        return noted

    def _note(self, table: dict[str, Any], old: Any, new: Any) -> None:
        row, now = new if new is not None else old, time.monotonic()
        writes = self._unseen[table["TableArn"]].setdefault(_key(table, row), deque())
        seen_at = now + self._lot.uniform(0, self._longest)
        writes.append((max(seen_at, writes[-1][0]) if writes else seen_at, copy.deepcopy(old)))

    def _late(self, read: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        """`read`, which sees the rows as its index has them."""
        from ministack.services import dynamodb

        def late(request: dict[str, Any]) -> Any:
            table = dynamodb._tables.get(str(request.get("TableName", "")).rpartition("/")[2])  # noqa: SLF001
            indices = (table or {}).get("GlobalSecondaryIndexes") or ()
            if (
                not self._longest
                or table is None
                or request.get("IndexName") not in {index["IndexName"] for index in indices}
            ):
                return read(request)
            with self._as_seen(table):
                return read(request)

        return late

    @contextmanager
    def _as_seen(self, table: dict[str, Any]) -> Iterator[None]:
        now, unseen = time.monotonic(), self._unseen[table["TableArn"]]
        current: dict[Key, Any] = {}
        for key, writes in list(unseen.items()):
            while writes and writes[0][0] <= now:
                writes.popleft()
            if writes:
                current[key] = table["items"].get(key[0], {}).get(key[1])
                _put(table, key, copy.deepcopy(writes[0][1]))
            else:
                del unseen[key]
        try:
            yield
        finally:
            for key, row in current.items():
                _put(table, key, row)


def _key(table: dict[str, Any], row: dict[str, Any]) -> Key:
    from ministack.services import dynamodb

    sort = table["sk_name"]
    value = dynamodb._extract_key_val  # noqa: SLF001
    return value(row.get(table["pk_name"])), value(row.get(sort)) if sort else "__no_sort__"


def _put(table: dict[str, Any], key: Key, row: Any) -> None:
    from ministack.services import dynamodb

    if row is None:
        dynamodb._remove_item(table, *key)  # noqa: SLF001
    else:
        dynamodb._set_item(table, *key, row)  # noqa: SLF001
