"""SageMaker's durable state: one SQLite file with the resources and a first-in-first-out queue per endpoint.

Every method commits before it returns, so its changes survive the death of the process.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local_cloud.sagemaker.records import EndpointStatus, Kind, NewInvocation, Notice, QueuedInvocation, Resource

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, properties TEXT NOT NULL, created_at REAL NOT NULL,
    modified_at REAL NOT NULL, status TEXT NOT NULL, failure_reason TEXT, PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS invocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, invocation TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, notice TEXT
);
CREATE INDEX IF NOT EXISTS invocations_of_endpoint ON invocations (endpoint, number);
"""


class SageMakerStore:
    """Used only by the event loop's thread."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self.tell: Callable[[str, EndpointStatus], None] = lambda _name, _status: None
        """Called with each new status of an endpoint."""

    def close(self) -> None:
        self._database.close()

    def put(self, kind: Kind, name: str, arn: str, properties: Mapping[str, Any]) -> None:
        """Create or replace a resource; an endpoint becomes `Creating`, one that existed `Updating`."""
        now = time.time()
        self._database.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (kind, name) DO UPDATE SET "
            "properties = excluded.properties, modified_at = excluded.modified_at, status = ?, failure_reason = NULL",
            (kind, name, arn, json.dumps(properties), now, now, EndpointStatus.CREATING, EndpointStatus.UPDATING),
        )

    def get(self, kind: Kind, name: str) -> Resource | None:
        row = self._database.execute("SELECT * FROM resources WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return _resource(row) if row else None

    def list(self, kind: Kind) -> list[Resource]:
        """All of `kind`, newest first."""
        rows = self._database.execute(
            "SELECT * FROM resources WHERE kind = ? ORDER BY created_at DESC, name", (kind,)
        ).fetchall()
        return [_resource(row) for row in rows]

    def delete(self, kind: Kind, name: str) -> None:
        """Delete a resource and, for an endpoint, its queue."""
        with self._database:
            self._database.execute("DELETE FROM resources WHERE kind = ? AND name = ?", (kind, name))
            if kind is Kind.ENDPOINT:
                self._database.execute("DELETE FROM invocations WHERE endpoint = ?", (name,))

    def set_status(self, name: str, status: EndpointStatus, failure_reason: str | None = None) -> None:
        self._database.execute(
            "UPDATE resources SET status = ?, failure_reason = ?, modified_at = ? WHERE kind = ? AND name = ?",
            (status, failure_reason, time.time(), Kind.ENDPOINT, name),
        )
        self.tell(name, status)

    def enqueue(self, invocation: NewInvocation) -> None:
        """Accept an invocation."""
        self._database.execute(
            "INSERT INTO invocations (endpoint, invocation) VALUES (?, ?)",
            (invocation.endpoint, json.dumps(asdict(invocation))),
        )

    def first(self, endpoint: str) -> QueuedInvocation | None:
        """The oldest invocation of `endpoint`."""
        row = self._database.execute(
            "SELECT number, invocation, done, notice FROM invocations WHERE endpoint = ? ORDER BY number LIMIT 1",
            (endpoint,),
        ).fetchone()
        if row is None:
            return None
        notice = Notice(**json.loads(row[3])) if row[3] else None
        return QueuedInvocation(
            number=row[0], invocation=NewInvocation(**json.loads(row[1])), done=bool(row[2]), notice=notice
        )

    def backlog(self, endpoint: str) -> int:
        """Invocations of `endpoint` that are queued or in flight."""
        row = self._database.execute("SELECT count(*) FROM invocations WHERE endpoint = ?", (endpoint,)).fetchone()
        return int(row[0])

    def finish(self, number: int, notice: Notice | None) -> None:
        """Note that the container has answered and S3 has the answer: the invocation is never run again."""
        text = json.dumps(asdict(notice)) if notice else None
        self._database.execute("UPDATE invocations SET done = 1, notice = ? WHERE number = ?", (text, number))

    def remove(self, number: int) -> None:
        """Delete the invocation: everything about it is done."""
        self._database.execute("DELETE FROM invocations WHERE number = ?", (number,))


def _resource(row: tuple[Any, ...]) -> Resource:
    return Resource(
        kind=Kind(row[0]),
        name=row[1],
        arn=row[2],
        properties=json.loads(row[3]),
        created_at=row[4],
        modified_at=row[5],
        status=EndpointStatus(row[6]),
        failure_reason=row[7],
    )
