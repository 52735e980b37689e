"""Logs one JSON object per line to stderr, with the ids of the job and the API request that the line belongs to."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

current_job: ContextVar[str | None] = ContextVar("current_job", default=None)
"""The job that the current thread works on; a record's own `job_id` has priority."""
current_correlation: ContextVar[str | None] = ContextVar("current_correlation", default=None)
"""The API request that created the job; a record's own `correlation_id` has priority."""
current_trace: ContextVar[str | None] = ContextVar("current_trace", default=None)
"""The trace that the job belongs to, 32 hex digits."""


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, message, ids of job, request and trace, the fields of `metrics` and any traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "job_id": getattr(record, "job_id", None) or current_job.get(),
            "correlation_id": getattr(record, "correlation_id", None) or current_correlation.get(),
            "trace_id": current_trace.get(),
        }
        line.update(getattr(record, "metrics", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None}, ensure_ascii=False)


def start_logging() -> None:
    """Send the records of all loggers from INFO up to stderr; the program calls this once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
