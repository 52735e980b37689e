"""WebUI's API at the local cloud's own port: `/sdapi/v1` and what belongs to it, with an API key as the password.

The routes are those of `goc serve`; they run here and reach the deployed API over HTTP, as a program of its own would.
"""

import re
from typing import Final

from local_cloud.asgi import AsgiApp, Receive, Scope, Send

_OURS: Final = re.compile(r"/(sdapi/v1|controlnet|internal)/.+|/login_check", re.DOTALL)


class WebUiApi:
    """ASGI middleware; starlette and the face are imported at the first request."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.api_url: str | None = None
        """URL of the deployed API; None before the deployment, or if there is none."""
        self._face: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.api_url is None or not _OURS.fullmatch(str(scope["path"])):
            await self._app(scope, receive, send)
            return
        if self._face is None:
            self._face = _face(self.api_url)
        await self._face(scope, receive, send)


def _face(api_url: str) -> AsgiApp:
    import logging

    from generate_on_cloud.client.cloud import GenerateOnCloud
    from generate_on_cloud.serve.app import make_app
    from generate_on_cloud.serve.gate import Gate, Rules
    from generate_on_cloud.serve.key_callers import KeyCallers
    from generate_on_cloud.serve.report import JobReport

    say = logging.getLogger("local_cloud").info
    callers = KeyCallers(lambda key: GenerateOnCloud(api_url, key), JobReport(say, price_per_hour=None))
    return Gate(make_app(callers.caller_of), Rules())
