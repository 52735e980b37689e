"""Who may ask the local cloud for anything: its port is open to every program and every web page of this machine.

A web page can send requests here, so those under a foreign host name (DNS rebinding) and those of pages are refused,
except where pages are welcome on AWS too: the API's own routes and presigned URLs of S3. Everything else must be signed
with a credential that the local cloud gave out, and the emulator's own pages are closed.
"""

import json
import re
from typing import Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_cloud.asgi import AsgiApp, Receive, Scope, Send, read_body, replayed
from local_cloud.ministack.signatures import SignatureError, Signatures

_HERE: Final = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.ASCII)
_BUCKET_HOST: Final = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.s3(\.[a-z0-9-]+)?\.amazonaws\.com(:\d{1,5})?"
    r"|(?P<local>[a-z0-9][a-z0-9-]*)(\.s3)?\.localhost(:\d{1,5})?",
    re.ASCII,
)
_API: Final = re.compile(r"/restapis/[^/]+/[^/]+/_user_request_(/.*)?", re.DOTALL)
_HEALTH: Final = "/_ministack/health"
_CUSTOM_RESOURCE: Final = re.compile(r"/_ministack/cfn-response/[0-9a-f-]{32,64}", re.ASCII)
"""Where a function answers CloudFormation; the random name is its right, as in the presigned URL it has on AWS."""
_CLOSED: Final = re.compile(r"/(_[^/]*|health)(/.*)?", re.DOTALL | re.IGNORECASE)
"""The emulator's own pages, which no AWS has."""
_BY_QUERY: Final = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature"})
_OF_PAGES: Final = frozenset({"cross-site", "same-site", "same-origin"})


class _RefusedError(Exception):
    """The request gets nothing; the text says what was received and what is allowed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Gate:
    """ASGI middleware in front of everything: passes what is allowed, answers the rest itself."""

    def __init__(self, services: AsgiApp, api: AsgiApp, signatures: Signatures) -> None:
        """`services` gets what is signed or presigned, `api` the requests for the API's routes."""
        self._services = services
        self._api = api
        self._signatures = signatures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._pass(scope, receive, send)
        except (_RefusedError, SignatureError) as error:
            await _refuse(scope, send, error.code, str(error))

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        bucket = self._checked_host(scope)
        path, method = str(scope["path"]), str(scope["method"])
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if bucket is None and _API.fullmatch(path):
            await self._api(_plain(scope, query), receive, send)
        elif b"authorization" not in headers and _is_presigned(query):
            await self._pass_presigned(scope, receive, send, bucket)
        elif method == "OPTIONS":
            raise _RefusedError(
                "AccessForbidden", "preflights are answered at the API's routes and presigned URLs only"
            )
        else:
            _refuse_pages(headers)
            await self._pass_program(scope, receive, send, bucket)

    async def _pass_presigned(self, scope: Scope, receive: Receive, send: Send, bucket: str | None) -> None:
        if _CLOSED.fullmatch(str(scope["path"])):
            raise _RefusedError("AccessDenied", f"received {scope['path']}, which is closed")
        bucket = bucket or str(scope["path"]).lstrip("/").partition("/")[0]
        if scope["method"] == "OPTIONS":
            if not self._signatures.has_bucket(bucket):
                raise _RefusedError("AccessForbidden", "preflights are answered in buckets that exist only")
        elif refused := self._signatures.refusal_of_url(scope, bucket):
            sent = [(name.encode(), value.encode("latin-1")) for name, value in refused.headers.items()]
            await send({"type": "http.response.start", "status": refused.status, "headers": sent})
            await send({"type": "http.response.body", "body": refused.body})
            return
        await self._services(scope, receive, send)

    async def _pass_program(self, scope: Scope, receive: Receive, send: Send, bucket: str | None) -> None:
        path, method = str(scope["path"]), str(scope["method"])
        is_open = (method in {"GET", "HEAD"} and path == _HEALTH) or (
            method == "PUT" and _CUSTOM_RESOURCE.fullmatch(path) is not None
        )
        if bucket is None and is_open:
            await self._services(_plain(scope, {}), receive, send)
            return
        if _CLOSED.fullmatch(path):
            raise _RefusedError("AccessDenied", f"received {path}; of the emulator's own pages only {_HEALTH} is open")
        service = self._signatures.service_of(scope)
        if service is None:
            raise _RefusedError("MissingAuthenticationToken", "the request is not signed with AWS4-HMAC-SHA256")
        if bucket is not None and service != "s3":
            raise _RefusedError("AccessDenied", f"received a request to {service} under a host name of S3")
        if self._signatures.needs_body(scope):
            body = await read_body(receive)
            receive = replayed(body)
        else:
            body = b""
        self._signatures.check(scope, body)
        await self._services(scope, receive, send)

    def _checked_host(self, scope: Scope) -> str | None:
        """The bucket that the host names, None for this machine.

        Raises:
            _RefusedError: any other host, or headers that two readers could read differently.
        """
        names = [name for name, _ in scope["headers"]]
        for name in (b"host", b"authorization", b"origin"):
            if names.count(name) > 1:
                raise _RefusedError("AccessDenied", f"received several {name.decode()} headers; allowed: one")
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if _HERE.fullmatch(host.lower()):
            return None
        if found := _BUCKET_HOST.fullmatch(host.lower()):
            return found["bucket"] or found["local"]
        raise _RefusedError("AccessDenied", f"received the host {host[:200]!r}; allowed: 127.0.0.1, localhost")


def _is_presigned(query: dict[str, list[str]]) -> bool:
    """Whether these are the parameters of one presigned S3 URL (Signature Version 4)."""
    if any(len(query.get(f"X-Amz-{name}", ())) != 1 for name in ("Algorithm", "Credential", "Signature")):
        return False
    parts = query["X-Amz-Credential"][0].split("/")
    return query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"] and len(parts) == 5 and parts[3] == "s3"


def _plain(scope: Scope, query: dict[str, list[str]]) -> Scope:
    """The request without anything that could make it one to an AWS service.

    Raises:
        _RefusedError: its parameters name a credential.
    """
    if named := sorted(name for name in query if name.lower() in _BY_QUERY):
        raise _RefusedError("AccessDenied", f"received {', '.join(named)} at a route that takes no signatures")
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(b"x-amz-") and not (name == b"authorization" and value.startswith(b"AWS"))
    ]
    return {**scope, "headers": kept}


def _refuse_pages(headers: dict[bytes, bytes]) -> None:
    origin = headers.get(b"origin")
    if origin is not None:
        raise _RefusedError(
            "AccessDenied",
            f"received the origin {origin[:200].decode('latin-1')!r}; web pages may use the API's routes and "
            "presigned URLs only",
        )
    if headers.get(b"sec-fetch-site", b"").decode("latin-1").strip().lower() in _OF_PAGES:
        raise _RefusedError("AccessDenied", "web pages may use the API's routes and presigned URLs only")


async def _refuse(scope: Scope, send: Send, code: str, message: str) -> None:
    """403 in the words of the service that the request seems to be for."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    sent = [(b"x-amzn-errortype", code.encode())]
    if b"json" in headers.get(b"content-type", b"") or b"x-amz-target" in headers:
        body, kind = json.dumps({"__type": code, "message": message}), "application/json"
    elif headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        detail = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body, kind = f"<ErrorResponse>{detail}</ErrorResponse>", "text/xml"
    else:
        body, kind = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>", "application/xml"
    content = b"" if scope["method"] == "HEAD" else body.encode()
    sent += [(b"content-type", kind.encode()), (b"content-length", str(len(body.encode())).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": sent})
    await send({"type": "http.response.body", "body": content})
