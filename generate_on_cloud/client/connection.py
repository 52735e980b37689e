"""One authenticated connection to the API. A request that comes when there are too many waits and is sent again."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from generate_on_cloud.client.errors import ConnectionLostError, ProblemError, WrongUrlError
from generate_on_cloud.client.tracing import request_span
from generate_on_cloud.contract.accounts import RolePage, UsagePage, UserPage
from generate_on_cloud.contract.bodies import Body
from generate_on_cloud.contract.errors import PROBLEMS, Problem, ProblemCode

Answer = TypeVar("Answer", bound=BaseModel)
Page = TypeVar("Page", bound=RolePage | UsagePage | UserPage)

# The API itself answers within 29 s; the rest is for the network.
TIMEOUT = httpx.Timeout(40.0, connect=10.0)
BUSY_TRIES: Final = 4
"""How often a request is sent at most that the API refuses because there are too many."""
LONGEST_PAUSE_SECONDS: Final = 10.0
"""A longer `Retry-After` is the caller's decision, such as a key's limit per minute."""


@dataclass(frozen=True)
class Look(Generic[Answer]):
    """What a repeated question found."""

    answer: Answer | None
    """None: what was seen last has not changed."""
    pause: float
    """Seconds to wait before the next look."""
    tag: str | None
    """Names this state of the answer."""


class Connection:
    """Sends requests to the API and turns its answers into models or exceptions."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = _checked(url)
        self._api_key = api_key
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._sleep = sleep

    def ask(
        self,
        answer: type[Answer],
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request to the API and return its answer.

        Raises:
            ConnectionLostError: there was no answer.
            ProblemError: the API refused the request.
            WrongUrlError: something else answered.
        """
        return self._read(answer, self._send(method, path, _document(body), query, headers))

    def look(
        self,
        answer: type[Answer],
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        tag: str | None = None,
    ) -> Look[Answer]:
        """As `ask` with GET; `tag` is that of the last look."""
        response = self._send("GET", path, None, query, {"If-None-Match": tag} if tag else None)
        return Look(
            None if response.status_code == httpx.codes.NOT_MODIFIED else self._read(answer, response),
            pause=_pause(response),
            tag=response.headers.get("etag"),
        )

    def pages(
        self, page: type[Page], path: str, *, query: Mapping[str, str | int | None] | None = None
    ) -> Iterator[Page]:
        """Every page of a list, the next when it is asked for; there is always one.

        Raises:
            ConnectionLostError, ProblemError: as in `ask`.
        """
        cursor: str | None = None
        while True:
            found = self.ask(page, "GET", path, query={"limit": 100, **(query or {}), "cursor": cursor})
            yield found
            cursor = found.next_cursor
            if cursor is None:
                return

    def tell(self, method: str, path: str) -> None:
        """Send one request whose answer has no body.

        Raises:
            ConnectionLostError, ProblemError: as in `ask`.
        """
        self._send(method, path, None, None, None)

    def request(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send any request to the API and return its successful answer as it came.

        Raises:
            ConnectionLostError, ProblemError, WrongUrlError: as in `ask`.
        """
        return self._send(method, path, content, query, headers)

    def _read(self, answer: type[Answer], response: httpx.Response) -> Answer:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            raise WrongUrlError(self._url, _what(response)) from None

    def _send(
        self,
        method: str,
        path: str,
        content: str | None,
        query: Mapping[str, str | int | None] | None,
        more_headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        params = {name: value for name, value in (query or {}).items() if value is not None}
        key = {"x-api-key": self._api_key} if self._api_key else {}
        headers = {**key, "content-type": "application/json", **(more_headers or {})}
        for tries_left in reversed(range(BUSY_TRIES)):
            try:
                with request_span(method, path) as trace:
                    response = self._http.request(
                        method, f"{self._url}{path}", content=content, params=params, headers={**trace, **headers}
                    )
            except httpx.TransportError as error:
                raise ConnectionLostError(f"no answer from {self._url}: {error}") from error
            if not response.is_error:
                break
            refusal = self._refusal(response)
            pause = _pause(response) if _is_busy(refusal) else 0.0
            if not tries_left or not 0 < pause <= LONGEST_PAUSE_SECONDS:
                raise refusal
            self._sleep(pause)
        return response

    def _refusal(self, response: httpx.Response) -> ProblemError | WrongUrlError:
        try:
            return ProblemError(Problem.model_validate_json(response.content))
        except ValidationError:
            # A gateway, a proxy or another program answered, in its own format.
            if _is_elsewhere(response):
                return WrongUrlError(self._url, _what(response))
            return ProblemError(_foreign_problem(response))

    def put(self, url: str, content: bytes | Iterable[bytes], headers: Mapping[str, str]) -> httpx.Response:
        """PUT to a presigned URL, without the API key."""
        return self._http.put(url, content=content, headers=dict(headers), timeout=300)

    def get(self, url: str) -> httpx.Response:
        """GET a presigned URL, without the API key."""
        return self._http.get(url, timeout=300)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _pause(response: httpx.Response) -> float:
    """Seconds of the answer's `Retry-After`, else 0."""
    pause = response.headers.get("retry-after", "")
    return float(pause) if pause.isdecimal() else 0.0


def _is_busy(refusal: ProblemError | WrongUrlError) -> bool:
    return isinstance(refusal, ProblemError) and refusal.problem.code is ProblemCode.TOO_MANY_REQUESTS


def _text(body: BaseModel) -> str:
    """The body as JSON, without what is left out."""
    null_counts = isinstance(body, Body) and body.null_counts
    return body.model_dump_json(exclude_unset=True) if null_counts else body.model_dump_json(exclude_none=True)


def in_path(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="@+")


def _checked(url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        WrongUrlError: it is no http URL, or has a query.
    """
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise WrongUrlError(url, str(error)) from error
    if read.scheme not in ("http", "https") or not read.host:
        raise WrongUrlError(url, "it must begin with https:// or http://")
    if read.query or read.fragment:
        raise WrongUrlError(url, "it must not have a `?` or `#`")
    return url.rstrip("/").removesuffix("/v1")


def _document(body: BaseModel | None) -> str | None:
    return None if body is None else _text(body)


def _is_elsewhere(response: httpx.Response) -> bool:
    """Whether a refusal shows that the URL is wrong: no gateway of the API gives it."""
    is_json = response.content[:1] in (b"{", b"[", b'"')
    unsigned = re.search(rb"missing ?authentication ?token", response.content, re.IGNORECASE)
    return response.status_code == 404 or (response.status_code < 500 and (not is_json or unsigned is not None))


def _what(response: httpx.Response) -> str:
    """Who answered, in half a sentence."""
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    return (
        f"HTTP {response.status_code} with {kind} came from there. The API's URL ends in its stage "
        "(`make local` prints it as GOC_URL; on AWS it is the output ApiUrl of the stack)"
    )


def _foreign_problem(response: httpx.Response) -> Problem:
    code = ProblemCode.FORBIDDEN if response.status_code == 403 else ProblemCode.INTERNAL
    return Problem(
        type="about:blank",
        title=PROBLEMS[code].title,
        status=response.status_code,
        code=code,
        detail=f"HTTP {response.status_code}: {response.text[:300]}",
        request_id=response.headers.get("x-amzn-requestid", ""),
    )
