"""The logs of functions as files that people can read: ministack keeps them only in the emulated CloudWatch."""

import os
import re
import threading
from collections.abc import Callable
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from local_cloud.ministack.patches import replace

RUNTIME: Final = Path(__file__).resolve().parents[1] / "function_runtime"
"""The folder on the functions' PYTHONPATH, with AWS's way of logging."""
MAX_BYTES: Final = 10 * 1024**2
"""Of a log; then it is `….log.1`, and the one before that is deleted."""
_OWN_HANDLER: Final = re.compile(r"lambdas\.(functions\.)?(?P<name>\w+)(\.\w+)*")


class FunctionLogs:
    """One file for each function in `folder`; made once, it installs itself in ministack."""

    def __init__(self, folder: Path, report_failure: Callable[[str, str], None]) -> None:
        """`report_failure(function name, log text)` is called for each failed invocation, from any thread."""
        self._folder = folder
        self._report_failure = report_failure
        self._lock = threading.Lock()
        self._files: dict[str, RotatingFileHandler] = {}
        replace("core.lambda_runtime.execution_credentials", self._with_runtime)
        replace("services.lambda_svc._emit_lambda_logs", self._writing)

    def _with_runtime(self, credentials: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
        """The environment that a function's process gets besides its own variables."""

        def with_runtime(config: dict[str, Any]) -> dict[str, str]:
            # The function's own folders come after it.
            own = ((config.get("Environment") or {}).get("Variables") or {}).get("PYTHONPATH")
            return {**credentials(config), "PYTHONPATH": os.pathsep.join(filter(None, (str(RUNTIME), own)))}

        return with_runtime

    def _writing(self, emit: Callable[..., Any]) -> Callable[..., Any]:
        def writing(func: dict[str, Any], request_id: str, log_text: str, error: bool, *rest: Any, **named: Any) -> Any:
            config = func.get("config") or func
            if log_text:
                self._write(config, log_text)
            if error:
                self._report_failure(str(config.get("FunctionName", "unknown")), log_text)
            return emit(func, request_id, log_text, error, *rest, **named)

        return writing

    def _write(self, config: dict[str, Any], text: str) -> None:
        name = short_name(config)
        with self._lock:
            if name not in self._files:
                path = self._folder / f"function-{name}.log"
                self._files[name] = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
            for line in text.splitlines():
                self._files[name].emit(_record(line))


def short_name(config: dict[str, Any]) -> str:
    """`api` for the handler `lambdas.api.handler.handler`, `sweeper` for `lambdas.functions.sweeper.handler`; the
    function's own name for a handler that is not ours.
    """
    found = _OWN_HANDLER.fullmatch(str(config.get("Handler", "")))
    return found["name"] if found else re.sub(r"[^\w-]", "_", str(config.get("FunctionName", "unknown")))


def _record(line: str) -> LogRecord:
    return makeLogRecord({"msg": line})
