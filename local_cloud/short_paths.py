"""The API and the web console at the root of the port: people type http://127.0.0.1:4747/ and nothing more."""

import re
from typing import Final
from urllib.parse import parse_qs

from local_cloud.asgi import AsgiApp, Receive, Scope, Send

_SHORT: Final = re.compile(r"/(console|v1)/.*", re.DOTALL)
_NUMBER: Final = re.compile(rb"127\.0\.0\.1(:\d{1,5})?")
_NAME: Final = re.compile(rb"localhost(?P<port>:\d{1,5})?", re.IGNORECASE)


class ShortPaths:
    """ASGI middleware: `/`, `/console/…` and `/v1/…` mean these paths of the deployed API.

    Requests to AWS services keep their paths; they are signed, also those to `/`.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.stage_path: str | None = None
        """`/restapis/{id}/{stage}/_user_request_`; None before the deployment, or if there is no API."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"")
        if scope["type"] != "http" or self.stage_path is None or not _is_short(scope):
            await self._app(scope, receive, send)
        elif (name := _NAME.fullmatch(host)) and scope["path"] == "/":
            # Presigned URLs name 127.0.0.1, and the page may only load from its own origin.
            location = b"http://127.0.0.1" + (name["port"] or b"") + b"/"
            headers = [(b"location", location), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 307, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        elif name or _NUMBER.fullmatch(host):
            path, raw = self.stage_path + str(scope["path"]), self.stage_path.encode() + scope["raw_path"]
            await self._app({**scope, "path": path, "raw_path": raw}, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_short(scope: Scope) -> bool:
    path, names = str(scope["path"]), {name.lower() for name, _ in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    if names & {b"authorization", b"x-amz-target"} or any(name.lower().startswith("x-amz-") for name in query):
        return False
    return _SHORT.fullmatch(path) is not None or (path == "/" and scope["method"] in {"GET", "HEAD"})
