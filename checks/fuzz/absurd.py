"""Absurd requests that the OpenAPI document cannot generate; each must be answered with a problem."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from generate_on_cloud.contract.errors import ProblemCode

MEGABYTE = 2**20
LISTS = ("/v1/jobs", "/v1/assets", "/v1/users", "/v1/roles", "/v1/usage?everyone=true")
LIMITS = ("0", "-1", "1e9", "1000000000", "NaN", "Infinity", "%D9%A3", "9" * 5000, "", "0x10", "1_0", "1%002")
CURSORS = ("x", "W10", "%F0%9F%98%80", "%00", "a" * 5000, "WyJhIiwiYiJd", "WyJhIiwiYiJd.AAAA", ".", "..", "bnVsbA")
PATH_VALUES = ("%00", "%0A", "%FF%FE", "%F0%9F%98%80", "a%2Fb", "%2E%2E%2F%2E%2E", "a" * 6000, "null", "-1", "%20")
PATHS = (
    "/v1/jobs/{}",
    "/v1/assets/{}",
    "/v1/assets/by-hash/{}",
    "/v1/users/{}",
    "/v1/roles/{}",
    "/v1/jobs/{}/deliveries",
)
NAMES = ("", "\x00", "a\nb", "\U0001f600", "a" * MEGABYTE, "../etc", "\u202eadmin", " admin ", "a\u0000b", "ａdmin")
NUMBERS = (
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 30,
    "1.5",
    '"1"',
    "[]",
    "true",
    "1e-400",
)
POSTS = ("/v1/jobs", "/v1/assets", "/v1/users", "/v1/roles", "/v1/keys", "/v1/jobs/delete", "/v1/me/webhook-secret")
JOB = {"task": "txt2img", "checkpoint": "none.safetensors", "params": {"prompt": "a"}}

NEED_NO_BODY = ("/v1/me/webhook-secret",)
"""Of these, nothing at all is a right request."""


@dataclass(frozen=True)
class Absurd:
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str | bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path[:80]} {(self.body or b'')[:80]!r} {str(self.headers)[:80]}"


def absurd_requests() -> Iterator[Absurd]:
    """All absurd requests."""
    for path in LISTS:
        joint = "&" if "?" in path else "?"
        yield from (Absurd("GET", f"{path}{joint}limit={value}") for value in LIMITS)
        yield from (Absurd("GET", f"{path}{joint}cursor={value}") for value in CURSORS)
        yield Absurd("GET", f"{path}{joint}limit=1&limit=2")
        yield Absurd("GET", f"{path}{joint}{'x' * 3000}=1")
        yield Absurd("GET", f"{path}{joint}%FF=%FF")
    for path in PATHS:
        yield from (Absurd("GET", path.format(value)) for value in PATH_VALUES)
    for path in POSTS:
        yield from (Absurd("POST", path, body) for body in _bodies() if body or path not in NEED_NO_BODY)
    for name in NAMES:
        yield Absurd("POST", "/v1/users", _json({"name": name, "role": "artist"}))
        yield Absurd("POST", "/v1/roles", _json({"name": name, "permissions": []}))
        yield Absurd("POST", "/v1/assets", _json({"type": "lora", "name": name, "size": 10}))
        yield Absurd("POST", "/v1/jobs", _json({**JOB, "checkpoint": name}))
    yield from _absurd_jobs()
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "FOO"):
        yield Absurd(method, "/v1/me")
        yield Absurd(method, "/v1/jobs")
    yield from (
        # `/` is the console's page.
        Absurd("GET", path)
        for path in ("/v1", "/v2/jobs", "/v1/jobs/a/b/c", "/v1//jobs//x", "/%00", "/.env")
    )
    for key in ("", "x" * 8000, b"\xff\xfe", "goc_" + "A" * 43):
        yield Absurd("GET", "/v1/me", headers={"x-api-key": key})


def _absurd_jobs() -> Iterator[Absurd]:
    for number in NUMBERS:
        yield Absurd("POST", "/v1/jobs", _json(JOB)[:-1] + f', "ttl_s": {number}}}'.encode())
        params = f'{{"task":"txt2img","checkpoint":"a","params":{{"width":{number}}}}}'
        yield Absurd("POST", "/v1/jobs", params.encode())
    for key in ("", "a" * 5000, "a\tb", b"\xff\xfe", "\u00e4".encode("latin-1")):
        yield Absurd("POST", "/v1/jobs", _json(JOB), {"Idempotency-Key": key})
    for moment in ("0000-00-00", "9999-12-31T23:59:59Z", "1e400", "-1", "2026-01-01T00:00:00-99:99", "2026-01-01"):
        yield Absurd("GET", f"/v1/jobs?from={moment}T" if moment == "2026-01-01" else f"/v1/jobs?from={moment}")
    for month in ("2026-13", "%D9%A2026-01", "2026-01%0A", "9999-99"):
        yield Absurd("GET", f"/v1/usage?month={month}")


def _bodies() -> Iterator[bytes]:
    yield from (
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b"\xff\xfe\x00",
        b'{"a": "\xff\xfe"}',
        b"<xml/>",
        b"a=1&b=2",
    )
    yield b"[" * 10_000 + b"]" * 10_000
    yield b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    yield b'{"\\ud800": 1}'
    yield b'{"a": 1, "a": 2}'
    yield b'{"a": ' + b"9" * 5000 + b"}"
    yield b'{"name": "twice", "name": "again", "role": "artist", "task": "txt2img", "type": "lora"}'
    yield b" " * (5 * MEGABYTE)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def preflights(paths: Iterable[str]) -> Iterator[Absurd]:
    """A preflight request to every path of the document, and absurd ones."""
    asked: dict[str, str | bytes] = {
        "Origin": "https://artist.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key,idempotency-key",
    }
    for path in paths:
        yield Absurd("OPTIONS", re.sub(r"\{[^}]+\}", "x", path), headers=asked)
    for value in PATH_VALUES:
        yield Absurd("OPTIONS", f"/v1/jobs/{value}", headers=asked)
    yield Absurd("OPTIONS", "/v1/jobs", headers={})
    yield Absurd("OPTIONS", "/v1/jobs", headers={**asked, "Access-Control-Request-Method": "FOO"})


def why_wrong_preflight(status: int, headers: Mapping[str, str]) -> str | None:
    """What is wrong with an answer to a preflight request; header names in any case."""
    if status != 204:
        return f"status {status}"
    if headers.get("Access-Control-Allow-Origin") != "*":
        return f"allowed origin {headers.get('Access-Control-Allow-Origin')!r}"
    if "Content-Length" in headers or "Transfer-Encoding" in headers:
        return f"a body where none is allowed: Content-Length {headers.get('Content-Length')!r}"
    return None


def why_wrong(status: int, content_type: str, text: str) -> str | None:
    """What is wrong with an answer to an absurd request; None if it is a problem with one of our codes."""
    if not 400 <= status < 500:
        return f"status {status}"
    if content_type != "application/problem+json":
        return f"content type {content_type!r}"
    try:
        problem = json.loads(text)
        ProblemCode(problem["code"])
    except (ValueError, KeyError, TypeError):
        return "not a problem document"
    if problem["status"] != status or len(text) > 20_000:
        return f"status {problem['status']} inside, {len(text)} characters"
    return None
