"""HTTPS requests to URLs that users supply: public addresses only, with limits for redirects, bytes and time.

Uses the standard library only, so that Lambdas and the container can share it. Every redirect is parsed, resolved and
checked again. The connection goes to the address that was checked, and TLS verifies the host's name.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin

from generate_on_cloud.fetching.public_addresses import (
    AddressPolicy,
    FetchError,
    FetchFailure,
    Resolver,
    Target,
    checked_addresses,
    parse_target,
    refuse_unless_public,
    resolve_by_system,
)

CHUNK = 1024**2
USER_AGENT = "generate-on-cloud"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_ONE_ORIGIN = frozenset({"authorization", "cookie"})
"""Headers that are not forwarded to another host or port."""
_WORDS = {FetchFailure.UNREACHABLE: "cannot be reached", FetchFailure.BROKEN_OFF: "broke off"}


@dataclass(frozen=True)
class FetchLimits:
    """Limits for one request; sizes in bytes, times in seconds."""

    max_bytes: int
    total_seconds: float = 300.0
    """From the first DNS lookup to the last byte."""
    stall_seconds: float = 30.0
    """The longest wait for a connection or for the next bytes."""
    least_bytes_per_second: float = 0.0
    """Minimum average speed of the body, checked after `stall_seconds`; 0 allows any speed."""
    max_redirects: int = 5


@dataclass(frozen=True)
class PostAnswer:
    """The response of a webhook's receiver."""

    status: int
    body: bytes
    """At most the first `FetchLimits.max_bytes`; the rest is not read."""


@dataclass(frozen=True)
class Download:
    """A response whose body has not been read yet; valid only inside the `with` block of `SafeFetch.get`."""

    status: int
    """200, or 206 if a range was requested and sent."""
    headers: Mapping[str, str]
    """Header names are in lower case."""
    length: int | None
    """The announced size of the body in bytes; None if the server does not announce it."""
    chunks: Iterator[bytes]
    """The body in pieces of up to CHUNK bytes. Raises FetchError: TOO_LARGE, TOO_SLOW, BROKEN_OFF."""


@dataclass(frozen=True)
class SafeFetch:
    """Makes requests; resolver, policy, TLS and clock can be replaced for tests and closed networks."""

    resolve: Resolver = resolve_by_system
    policy: AddressPolicy = refuse_unless_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    monotonic: Callable[[], float] = time.monotonic

    @contextmanager
    def get(self, url: str, *, limits: FetchLimits, headers: Mapping[str, str] | None = None) -> Iterator[Download]:
        """Open a GET and follow redirects; Authorization and Cookie are sent to the first origin only.

        Raises:
            FetchError: for any FetchFailure; HTTP_STATUS for every final status except 200 and 206.
        """
        clock = _Clock(limits, self.monotonic)
        target, sent = parse_target(url), {name.lower(): value for name, value in (headers or {}).items()}
        for _ in range(limits.max_redirects + 1):
            with self._exchange("GET", target, sent, None, clock) as answer:
                if answer.status not in _REDIRECTS:
                    yield _opened(answer, target, limits, clock)
                    return
                location = answer.headers.get("Location")
            if not location:
                raise FetchError(
                    FetchFailure.HTTP_STATUS, f"{target.host} redirects without a location", status=answer.status
                )
            try:
                following = parse_target(urljoin(f"https://{target.authority}{target.path}", location))
            except ValueError as error:
                raise FetchError(
                    FetchFailure.BAD_URL, f"{target.host} redirects to something that is not a URL"
                ) from error
            if following.origin != target.origin:
                sent = {name: value for name, value in sent.items() if name not in _OF_ONE_ORIGIN}
            target = following
        message = f"received more than {limits.max_redirects} redirects, the last from {target.host}"
        raise FetchError(FetchFailure.TOO_MANY_REDIRECTS, message)

    def post(
        self, url: str, body: bytes, *, limits: FetchLimits, headers: Mapping[str, str] | None = None
    ) -> PostAnswer:
        """POST once; a redirect is returned like any other response and not followed.

        Raises:
            FetchError: BAD_URL, NOT_PUBLIC, UNREACHABLE, TOO_SLOW or BROKEN_OFF.
        """
        clock = _Clock(limits, self.monotonic)
        target, sent = parse_target(url), {name.lower(): value for name, value in (headers or {}).items()}
        with self._exchange("POST", target, sent, body, clock) as answer:
            kept = bytearray()
            while len(kept) < limits.max_bytes and (
                piece := _read(answer, target, min(CHUNK, limits.max_bytes - len(kept)))
            ):
                kept += piece
            return PostAnswer(answer.status, bytes(kept))

    @contextmanager
    def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None, clock: "_Clock"
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one request and read the status line and headers of the response."""
        with _told(target, FetchFailure.UNREACHABLE):
            wire = self._connect(target, clock)
        try:
            with _told(target, FetchFailure.BROKEN_OFF):
                answer = _ask(_BoundedSocket(wire, clock), method, target, headers, body)
            yield answer
        finally:
            wire.close()

    def _connect(self, target: Target, clock: "_Clock") -> ssl.SSLSocket:
        addresses = checked_addresses(target, resolve=self.resolve, policy=self.policy)
        for index, address in enumerate(addresses):
            try:
                plain = socket.create_connection((address, target.port), timeout=clock.patience())
            except OSError:
                if index == len(addresses) - 1:
                    raise
                continue
            try:
                plain.settimeout(clock.patience())
                return self.tls.wrap_socket(plain, server_hostname=target.host)
            except (OSError, ValueError):
                plain.close()
                raise
        raise FetchError(FetchFailure.UNREACHABLE, f"{target.host} has no address")


@contextmanager
def _told(target: Target, failure: FetchFailure) -> Iterator[None]:
    """Turn errors of sockets, TLS and HTTP into FetchError."""
    try:
        yield
    except TimeoutError as error:
        raise FetchError(FetchFailure.TOO_SLOW, f"{target.host} is too slow: {error}") from error
    except ssl.SSLCertVerificationError as error:
        raise FetchError(failure, f"{target.host} has no valid certificate: {error.verify_message}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(failure, f"{target.host} {_WORDS[failure]} ({type(error).__name__})") from error


def _ask(
    wire: "_BoundedSocket", method: str, target: Target, headers: Mapping[str, str], body: bytes | None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = wire
    connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    fixed = {
        "host": target.authority,
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "connection": "close",
    }
    if body is not None:
        fixed["content-length"] = str(len(body))
    for name, value in {**headers, **fixed}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _opened(answer: http.client.HTTPResponse, target: Target, limits: FetchLimits, clock: "_Clock") -> Download:
    if answer.status not in (200, 206):
        message = f"{target.host} answered {answer.status} {answer.reason[:100]}"
        raise FetchError(FetchFailure.HTTP_STATUS, message, status=answer.status)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError(FetchFailure.HTTP_STATUS, f"{target.host} sent a compressed body although none was requested")
    if answer.length is not None and answer.length > limits.max_bytes:
        message = f"{target.host} announces {answer.length} bytes; allowed: {limits.max_bytes}"
        raise FetchError(FetchFailure.TOO_LARGE, message)
    length = answer.length
    return Download(answer.status, headers, length, _chunks(answer, target, limits, clock, length))


def _chunks(
    answer: http.client.HTTPResponse, target: Target, limits: FetchLimits, clock: "_Clock", length: int | None
) -> Iterator[bytes]:
    received, began = 0, clock.monotonic()
    while piece := _read(answer, target, CHUNK):
        received += len(piece)
        if received > limits.max_bytes:
            message = f"{target.host} sends more than the {limits.max_bytes} bytes allowed"
            raise FetchError(FetchFailure.TOO_LARGE, message)
        elapsed = clock.monotonic() - began
        if elapsed > limits.stall_seconds and received < elapsed * limits.least_bytes_per_second:
            message = f"{target.host} sends less than {limits.least_bytes_per_second:.0f} bytes a second"
            raise FetchError(FetchFailure.TOO_SLOW, message)
        yield piece
    if length is not None and received != length:
        message = f"{target.host} broke off after {received} of {length} bytes"
        raise FetchError(FetchFailure.BROKEN_OFF, message)


def _read(answer: http.client.HTTPResponse, target: Target, size: int) -> bytes:
    with _told(target, FetchFailure.BROKEN_OFF):
        return answer.read1(size)


@dataclass
class _Clock:
    """The remaining time of one request."""

    limits: FetchLimits
    monotonic: Callable[[], float]

    def __post_init__(self) -> None:
        self._deadline = self.monotonic() + self.limits.total_seconds

    def patience(self) -> float:
        """The seconds that the next wait may take.

        Raises:
            TimeoutError: the total time is used up.
        """
        left = self._deadline - self.monotonic()
        if left <= 0:
            raise TimeoutError(f"the request took more than {self.limits.total_seconds:g} s")
        return min(left, self.limits.stall_seconds)


class _BoundedSocket:
    """The socket methods that http.client needs, with a time limit that also stops headers sent byte by byte."""

    def __init__(self, wire: ssl.SSLSocket, clock: _Clock) -> None:
        self._wire = wire
        self._clock = clock

    def sendall(self, data: bytes) -> None:
        self._wire.settimeout(self._clock.patience())
        self._wire.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedStream(self._wire, self._clock), buffer_size=CHUNK)

    def close(self) -> None:
        """Do nothing: http.client closes the socket before the body is read; the exchange closes the connection."""


class _BoundedStream(io.RawIOBase):
    def __init__(self, wire: ssl.SSLSocket, clock: _Clock) -> None:
        super().__init__()
        self._wire = wire
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "io.BytesIO | bytearray | memoryview") -> int:  # type: ignore[override]
        self._wire.settimeout(self._clock.patience())
        return self._wire.recv_into(buffer)  # type: ignore[arg-type]
