"""What AWS's Python runtime does before a function's code: the root logger writes each record as one JSON line.

Python imports this module at its start in the processes of functions, whose PYTHONPATH is this folder. It imports
nothing of ours: a function has only what is deployed with it.
"""

import json
import logging
import sys
import time

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _JsonLines(logging.Formatter):
    """AWS's fields, with what a caller passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        extra = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        line = {
            "timestamp": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **extra,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line |= {
                "errorType": record.exc_info[0].__name__,
                "errorMessage": str(record.exc_info[1]),
                "stackTrace": self.formatException(record.exc_info).splitlines(),
            }
        return json.dumps(line, default=str)


def _log_like_aws() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)


_log_like_aws()
