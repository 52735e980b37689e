"""Credentials of functions that end, as on AWS: what they signed ends with them, and the function gets new ones.

Time is cut into windows. The credentials of a window are good until the end of the next one, so a function always has
some that live for at least a window, and those of a window are the same after a restart.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local_cloud.ministack.patches import replace
from local_cloud.private_files import write_private
from local_cloud.root_credential import RootCredential
from local_cloud.settings import ACCOUNT


@dataclass(frozen=True)
class SessionSecret:
    """Makes secrets of sessions that nobody can compute who cannot read the state folder."""

    key: bytes

    @classmethod
    def kept(cls, path: Path) -> Self:
        """The one in the file at `path`, which the first start writes."""
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return cls(bytes.fromhex(path.read_text()))

    def of(self, *parts: object) -> str:
        """64 hexadecimal digits, always the same ones for the same parts."""
        return hmac.new(self.key, repr(parts).encode(), hashlib.sha256).hexdigest()


class FunctionSessions:
    """Sessions of all functions of this process; made once, it puts itself into ministack."""

    def __init__(
        self,
        seconds: float,
        secret: SessionSecret,
        *,
        check_rights: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`seconds`: the least that credentials live; `check_rights`: False gives functions the root credential."""
        from ministack.services import sts

        self._seconds = seconds
        self._secret = secret
        self._check_rights = check_rights
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
            self._credentials(config, window)

    def _ending(self, _: Callable[[dict[str, Any]], dict[str, str]]) -> Callable[[dict[str, Any]], dict[str, str]]:
        """Replaces ministack's own, which computes secrets from names that anybody knows."""

        def ending(config: dict[str, Any]) -> dict[str, str]:
            return self._credentials(config, self._window)

        return ending

    def _credentials(self, config: dict[str, Any], window: int) -> dict[str, str]:
        if not self._check_rights:
            return {**RootCredential.of_environment().variables, "AWS_SESSION_TOKEN": ""}
        role, name = str(config.get("Role", "")).rsplit("/", 1)[-1], str(config.get("FunctionName", ""))[:64]
        parts = (config.get("FunctionArn", ""), config.get("Role", ""), window)
        key = f"ASIA{self._secret.of('key', *parts)[:16].upper()}"
        secret, token = self._secret.of("secret", *parts), self._secret.of("token", *parts)
        session = {
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
            "UserId": f"{role}:{name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": (window + 2) * self._seconds,
        }
        self._sts.register_session(key, session)
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

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
