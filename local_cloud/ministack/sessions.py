"""Credentials of functions that end, as on AWS: what they signed ends with them, and the function gets new ones.

Time is cut into windows. The credentials of a window are good until the end of the next one, so a function always has
some that live for at least a window, and those of a window are the same after a restart.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any

from local_cloud.ministack.patches import replace


class FunctionSessions:
    """Sessions of all functions of this process; made once, it puts itself into ministack."""

    def __init__(self, seconds: float, *, now: Callable[[], float] = time.time) -> None:
        """`seconds`: the least that credentials live."""
        from ministack.services import sts

        self._seconds = seconds
        self._now = now
        self._sts = sts
        replace("core.lambda_runtime.execution_credentials", self._ending)
        replace("core.lambda_runtime.acquire_worker", self._with_live_credentials)
        replace("services.lambda_svc.acquire_worker", self._with_live_credentials)

    @property
    def _window(self) -> int:
        return int(self._now() // self._seconds)

    def remember(self, config: dict[str, Any]) -> None:
        """Open the sessions a function may hold: URLs it signed before a restart stay good for as long as they were."""
        for window in (self._window - 1, self._window):
            self._credentials(config, self._issued(config), window)

    def _ending(self, issue: Callable[[dict[str, Any]], dict[str, str]]) -> Callable[[dict[str, Any]], dict[str, str]]:
        self._issued = issue

        def ending(config: dict[str, Any]) -> dict[str, str]:
            return self._credentials(config, issue(config), self._window)

        return ending

    def _credentials(self, config: dict[str, Any], issued: dict[str, str], window: int) -> dict[str, str]:
        key = issued["AWS_ACCESS_KEY_ID"]
        session = self._sts._sessions.get(key)  # noqa: SLF001
        if not issued.get("AWS_SESSION_TOKEN") or session is None:
            return issued  # rights are not checked, so nothing ends
        digest = hashlib.sha256(f"{key}:{window}:{config.get('Role', '')}".encode()).hexdigest()
        token = f"{issued['AWS_SESSION_TOKEN']}{window}"
        renewed = {
            "AWS_ACCESS_KEY_ID": f"ASIA{digest[:16].upper()}",
            "AWS_SECRET_ACCESS_KEY": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
            "AWS_SESSION_TOKEN": token,
        }
        told = {"SecretAccessKey": renewed["AWS_SECRET_ACCESS_KEY"], "SessionToken": token}
        ends = {"Expiration": (window + 2) * self._seconds}
        self._sts.register_session(renewed["AWS_ACCESS_KEY_ID"], {**session, **told, **ends})
        return renewed

    def _with_live_credentials(self, acquire: Callable[..., Any]) -> Callable[..., Any]:
        """Workers keep the credentials they were started with: one whose window is over is started again."""

        def acquired(*arguments: Any, **named: Any) -> Any:
            worker, reason = acquire(*arguments, **named)
            if worker is None:
                return worker, reason
            process = worker._proc  # noqa: SLF001
            window = self._window
            is_running = process is not None and process.poll() is None
            if is_running and worker.credentials_window != window:
                worker.kill()
            worker.credentials_window = window
            return worker, reason

        return acquired
