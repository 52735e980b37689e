"""Login by form, as gradio's page of WebUI has it: a bot posts user and password once and keeps a cookie."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope

from generate_on_cloud.faces.sdapi.refusals import REQUEST_INVALID, RefusalError

PATH = "/login"
COOKIE = "access-token"
"""Gradio's own name."""
MAX_TOKENS = 1000
"""Kept at once: some bots log in before every request. The oldest is forgotten."""
MAX_FORM = 4096
"""Bytes of a form."""
_FORM = "application/x-www-form-urlencoded"
_WRONG = 400
"""Gradio's status for a wrong password."""

Knows = Callable[[str, str], bool]
"""Whether user and password are right."""


class FormLogin:
    """The cookies that were given out while the server runs, and whose they are."""

    def __init__(self, knows: Knows) -> None:
        self._knows = knows
        self._users: OrderedDict[str, str] = OrderedDict()

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """`POST /login` with a form of `username` and `password`: `{"success": true}` and a cookie.

        Raises:
            RefusalError: 400, they are wrong; 413, 415 or 422, it is not such a form.
        """
        user, password = await _form(Request(scope, receive))
        if not self._knows(user, password):
            raise RefusalError(_WRONG, "Incorrect credentials.")
        token = secrets.token_urlsafe(32)
        self._users[token] = user
        if len(self._users) > MAX_TOKENS:
            self._users.popitem(last=False)
        answer = JSONResponse({"success": True})
        # Without `secure`: the server speaks plain HTTP.
        answer.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict")
        return answer

    def user_of(self, scope: Scope) -> str | None:
        """Whose cookie the request carries; None: it has none, or one that was not given out."""
        return self._users.get(Request(scope).cookies.get(COOKIE, ""))


async def _form(request: Request) -> tuple[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise RefusalError(415, f"received a body of type {kind or 'none'!r}; allowed: {_FORM}")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_FORM:
            raise RefusalError(413, f"received a form of more than {MAX_FORM} bytes")
    fields = parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True)
    if "username" not in fields or "password" not in fields:
        found = ", ".join(fields)[:100] or "none"
        raise RefusalError(REQUEST_INVALID, f"received the fields {found}; needed: username, password")
    return fields["username"][0], fields["password"][0]
