"""Who may ask a server that spends money: programs of this machine, not the web pages that its browser shows.

A page can send requests to 127.0.0.1 too. It cannot forge `Host` and `Origin`, and without a preflight it cannot send
JSON; so a foreign host name (DNS rebinding), a foreign origin and a form are refused. The only form is that of
`/login`, with `--api-auth`: it must have the password, and passes the other checks first.
"""

import base64
import binascii
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.serve import form_login

_REACHED_BY = ("localhost", "127.0.0.1", "::1")
_OF_PAGES = ("cross-site", "same-site")
_EVERY_ORIGIN = "*"
_JSON = "application/json"


@dataclass(frozen=True)
class Rules:
    """What the gate lets through."""

    logins: Mapping[str, str] = field(default_factory=dict)
    """User → password; empty: everybody who reaches the port."""
    origins: frozenset[str] = frozenset()
    """Web pages that may ask, as `https://page.example`; WebUI's `--cors-allow-origins`."""
    any_host: bool = False
    """Whether the server may be called by any name: only with logins or keys, which a page of another name lacks."""
    own_keys: bool = False
    """Whether each request must carry its user's own key, which the app checks."""

    def __post_init__(self) -> None:
        if self.any_host and not (self.logins or self.own_keys):
            raise ValueError("any_host needs logins or own_keys")
        if _EVERY_ORIGIN in self.origins:
            raise ValueError("received '*' as an origin; allowed: origins by name, such as https://page.example")

    def knows(self, user: str, password: str) -> bool:
        """Whether they are a login; takes as long for a wrong password as for a right one."""
        right = secrets.compare_digest(password.encode(), self.logins.get(user, "").encode())
        return right and user in self.logins


class Gate:
    """ASGI middleware in front of everything; tells the app in `scope["user"]` who asks."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._form_login = form_login.FormLogin(rules.knows)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        answer: Response
        try:
            self._require_host(headers)
            self._require_origin(headers)
            if scope["method"] == "OPTIONS" and origin:
                await _preflight(headers)(scope, receive, _with_cors(send, origin))
                return
            if self._logs_in(scope):
                answer = await self._form_login.answer(scope, receive)
                await answer(scope, receive, _with_cors(send, origin) if origin else send)
                return
            scope["user"] = self._user(scope, headers)
            _require_json(str(scope["method"]), headers)
        except RefusalError as error:
            answer = JSONResponse(error.document(), status_code=error.status)
            if error.status == 401:
                answer.headers["www-authenticate"] = "Basic"
            await answer(scope, receive, _with_cors(send, origin) if origin in self._rules.origins else send)
            return
        await self._app(scope, receive, _with_cors(send, origin) if origin else send)

    def _require_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self._rules.any_host and not _is_loopback(host):
            raise RefusalError(
                403, f"received the host {host[:100]!r}; allowed: {', '.join(_REACHED_BY)}, with any port"
            )

    def _require_origin(self, headers: Headers) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        if origin is not None and origin not in self._rules.origins:
            allowed = ", ".join(sorted(self._rules.origins)) or "none (goc serve --cors-allow-origins ORIGIN,…)"
            raise RefusalError(403, f"received a request of the web page {origin[:100]!r}; allowed: {allowed}")
        if origin is None and site in _OF_PAGES:
            raise RefusalError(403, f"received a request of a web page (sec-fetch-site: {site}); allowed: programs")

    def _logs_in(self, scope: Scope) -> bool:
        return bool(self._rules.logins) and (scope["method"], scope["path"]) == ("POST", form_login.PATH)

    def _user(self, scope: Scope, headers: Headers) -> str:
        if not self._rules.logins:
            return ""
        if "authorization" not in headers and (user := self._form_login.user_of(scope)):
            return user
        kind, _, sent = headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(sent, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", ""
        if kind.lower() != "basic" or not self._rules.knows(user, password):
            raise RefusalError(401, "Incorrect username or password")
        return user


def _require_json(method: str, headers: Headers) -> None:
    if method in ("GET", "HEAD", "OPTIONS"):
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if kind != _JSON and not (is_empty and not kind):
        raise RefusalError(415, f"received a body of type {kind or 'none'!r}; allowed: {_JSON}")


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.removeprefix("[").removesuffix("]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _preflight(headers: Headers) -> Response:
    answer = Response(status_code=204)
    answer.headers["access-control-allow-methods"] = "GET, POST, OPTIONS"
    answer.headers["access-control-allow-headers"] = headers.get("access-control-request-headers", "content-type")
    answer.headers["access-control-allow-private-network"] = "true"
    answer.headers["access-control-max-age"] = "600"
    return answer


def _with_cors(send: Send, origin: str) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            allowed = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", b"*"),
                (b"vary", b"origin"),
            ]
            message = {**message, "headers": [*message["headers"], *allowed]}
        await send(message)

    return send_with
