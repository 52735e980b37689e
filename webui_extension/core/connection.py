"""HTTP to the service and to its storage, with urllib alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any

from webui_extension.core.errors import CloudError
from webui_extension.core.login import Login
from webui_extension.core.texts import say

TIMEOUT = 60
LARGEST_FILE = 512 * 1024**2
"""Bytes that a picture may have; nothing larger is read into memory."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_: object) -> None:
        """None: the answer is the redirect itself."""


class Connection:
    """One deployment, seen with one key."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON document that the API answers with; {} for an empty answer.

        Raises:
            CloudError: no answer, an answer that is not JSON, or a problem, with the API's own words.
        """
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.login.url.rstrip("/") + path + (f"?{urllib.parse.urlencode(asked)}" if asked else "")
        content = None if body is None else json.dumps(body).encode()
        sent = {"x-api-key": self.login.api_key, "Accept": "application/json", **(headers or {})}
        if content is not None:
            sent["Content-Type"] = "application/json"
        answer = self._open(method, url, content, sent, TIMEOUT)
        try:
            document = json.loads(answer) if answer else {}
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CloudError(say("not_the_api", url=self.login.url))
        return document

    def put(self, url: str, content: bytes | Iterable[bytes], headers: Mapping[str, str]) -> None:
        """Store bytes at a presigned URL; an iterable needs `Content-Length` among the headers.

        Raises:
            CloudError: storage refused them or could not be reached.
        """
        # urllib would name a form's type.
        self._open("PUT", url, content, {"Content-Type": "application/octet-stream", **headers}, 600)

    def read(self, url: str) -> bytes:
        """The bytes behind a presigned URL.

        Raises:
            CloudError: storage refused them or could not be reached.
        """
        return self._open("GET", url, None, {}, TIMEOUT)

    def _open(
        self, method: str, url: str, content: bytes | Iterable[bytes] | None, headers: Mapping[str, str], timeout: float
    ) -> bytes:
        if not url.startswith(("http://", "https://")):
            raise CloudError(say("bad_url", url=url[:200]))
        request = urllib.request.Request(url, data=content, headers=dict(headers), method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return bytes(answer.read(LARGEST_FILE))
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CloudError(say("unreachable", url=self.login.url, reason=reason)) from error


def _refused(error: urllib.error.HTTPError) -> CloudError:
    text = error.read(100_000).decode("utf-8", "replace")
    try:
        problem = json.loads(text)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        return CloudError(say("answered", status=error.code, text=text[:200]), status=error.code)
    details = [str(problem.get("detail", ""))]
    details += [
        f"{fault.get('pointer', '')}: {fault.get('message', '')}"
        for fault in problem.get("errors") or ()
        if str(fault.get("message", "")) not in details[0]
    ]
    code = str(problem["code"])
    told = "\n".join(filter(None, details))
    if code == "unauthorized":
        told = say("key_refused", detail=told)
    return CloudError(told, status=error.code, code=code)
