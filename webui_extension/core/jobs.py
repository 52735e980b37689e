"""Jobs of the service: send, look, cancel, retry, delete, list."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from webui_extension.core.connection import Connection
from webui_extension.core.errors import CloudError

FINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
LARGEST_INLINE = 3_500_000
"""Bytes of a body that still passes through the API; larger params are stored first."""
SEND_TRIES = 3
LOST = frozenset({0, 500, 502, 503, 504})
"""Statuses without a problem's code that say nothing about the request."""


class Jobs:
    """`/v1/jobs`"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(
        self,
        task: str,
        params: Mapping[str, Any],
        *,
        checkpoint: str | None = None,
        endpoint: str | None = None,
        metadata: Mapping[str, str] | None = None,
        preview: bool = True,
    ) -> dict[str, Any]:
        """The new job. A lost answer is asked for again under the same key, so nothing is drawn twice.

        Raises:
            CloudError: the service refused the request or could not be reached.
        """
        body: dict[str, Any] = {"task": task, "preview": preview, "metadata": dict(metadata or {})}
        body.update({name: value for name, value in (("checkpoint", checkpoint), ("endpoint", endpoint)) if value})
        document = json.dumps(params).encode()
        inline = len(document) <= LARGEST_INLINE
        body["params"] = params if inline else None
        job = self._once("/v1/jobs", body)
        if not inline:
            upload = job["upload"]
            self._connection.put(upload["url"], document, upload["headers"])
            job = self._connection.ask("POST", f"/v1/jobs/{job['job_id']}/start", body={})
        return job

    def get(self, job_id: str, wait: int = 0) -> dict[str, Any]:
        """One job, after its next change of status or `wait` seconds."""
        return self._connection.ask("GET", f"/v1/jobs/{job_id}", query={"wait": wait or None})

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self._connection.ask("POST", f"/v1/jobs/{job_id}/cancel", body={})

    def retry(self, job_id: str) -> dict[str, Any]:
        """The new job that repeats a finished one."""
        return self._once(f"/v1/jobs/{job_id}/retry", {})

    def delete(self, job_id: str) -> None:
        self._connection.ask("DELETE", f"/v1/jobs/{job_id}")

    def page(self, *, limit: int = 20, cursor: str | None = None) -> tuple[Sequence[dict[str, Any]], str | None]:
        """A page of jobs, newest first, and the cursor of the next one."""
        page = self._connection.ask("GET", "/v1/jobs", query={"limit": limit, "cursor": cursor})
        return page["jobs"], page["next_cursor"]

    def _once(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        for _ in range(1, SEND_TRIES):
            with suppress(_LostError):
                return self._try(path, body, headers)
        return self._try(path, body, headers)

    def _try(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            return self._connection.ask("POST", path, body=body, headers=headers)
        except CloudError as error:
            if error.status in LOST and not error.code:
                raise _LostError(str(error), status=error.status) from error
            raise


class _LostError(CloudError):
    """Nobody knows whether the request arrived."""
