"""Parses a URL that a user supplied and checks that all addresses of its host are public."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""(host name, port) → its addresses as text; raises OSError if there are no addresses."""
AddressPolicy = Callable[[Address], str | None]
"""Returns why an address may not be used, or None if it may."""

MAX_URL_CHARACTERS = 4096
_FIRST_FREE_PORT = 1024
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

# In addition to `is_global`: IPv6 forms that a router or the kernel translates to an IPv4 address.
_TRANSLATED = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("::ffff:0:0/96", "is an IPv4-mapped address"),
        ("::ffff:0:0:0/96", "is an IPv4-translated address"),
        ("::/96", "is an IPv4-compatible address"),
        ("64:ff9b::/96", "is a NAT64 address"),
        ("64:ff9b:1::/48", "is a NAT64 address"),
        ("2002::/16", "is a 6to4 address"),
        ("2001::/32", "is a Teredo address"),
    )
)
_RESERVED = tuple(
    ip_network(network)
    for network in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
                    "fec0::/10", "5f00::/16")
)  # fmt: skip


class FetchFailure(StrEnum):
    """Why a request on a user's behalf was refused or failed."""

    BAD_URL = "bad_url"
    NOT_PUBLIC = "not_public"
    UNREACHABLE = "unreachable"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    HTTP_STATUS = "http_status"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    BROKEN_OFF = "broken_off"


class FetchError(Exception):
    """A refused or failed request; the message is for the user and contains no path, query or header of it."""

    def __init__(self, reason: FetchFailure, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        """The HTTP status if the failure is HTTP_STATUS."""

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        if self.reason is FetchFailure.HTTP_STATUS:
            return self.status in (408, 425, 429) or (self.status or 0) >= 500
        return self.reason in (FetchFailure.UNREACHABLE, FetchFailure.TOO_SLOW, FetchFailure.BROKEN_OFF)


@dataclass(frozen=True)
class Target:
    """The parts of an https URL."""

    host: str
    """A lower-case ASCII name, or an address without brackets."""
    port: int
    path: str
    """Path and query."""

    @property
    def origin(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Parse an absolute https URL.

    Raises:
        FetchError: BAD_URL; the message names what is not allowed.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise _bad(f"received {len(url)} characters; allowed: up to {MAX_URL_CHARACTERS}")
    if any(character <= " " or character in "\x7f\\" for character in url):
        raise _bad("received a blank, a control character or a backslash; allowed: a percent-encoded URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad("received something that is not a URL") from error
    if parts.scheme.lower() != "https":
        raise _bad(f"received the scheme {parts.scheme[:20]!r}; allowed: https")
    if parts.username is not None or parts.password is not None:
        raise _bad("received a URL with a user name or password; allowed: one without")
    if port is not None and port != 443 and port < _FIRST_FREE_PORT:
        raise _bad(f"received port {port}; allowed: 443, or {_FIRST_FREE_PORT} and above")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise _bad("received characters outside ASCII; allowed: a percent-encoded URL")
    return Target(host=_checked_host(parts.hostname or ""), port=port or 443, path=path)


def parse_public_target(url: str) -> Target:
    """Parse an absolute https URL that a user names, whose host is no address that may never be contacted.

    What names stand for is checked when they are contacted (`checked_addresses`).

    Raises:
        FetchError: BAD_URL or NOT_PUBLIC; the message names what is not allowed.
    """
    target = parse_target(url)
    try:
        reason = refuse_unless_public(ip_address(target.host))
    except ValueError:
        return target
    if reason is not None:
        raise FetchError(FetchFailure.NOT_PUBLIC, _forbidden(target.host, reason))
    return target


def refuse_unless_public(address: Address) -> str | None:
    """The address policy in production: only addresses that are public on the internet."""
    for network, reason in _TRANSLATED:
        if address.version == network.version and address in network:
            return reason
    if any(address.version == network.version and address in network for network in _RESERVED):
        return "is a reserved address"
    kinds = (
        (address.is_loopback, "is the requesting machine itself"),
        (address.is_link_local, "is a link-local address, as used by cloud metadata services"),
        (address.is_multicast, "is a multicast address"),
        (not address.is_global, "is a private or reserved address"),
    )
    return next((reason for holds, reason in kinds if holds), None)


def resolve_by_system(host: str, port: int) -> list[str]:
    """Resolve with the operating system's resolver, which has its own timeout."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def checked_addresses(target: Target, *, resolve: Resolver, policy: AddressPolicy) -> list[str]:
    """All addresses of the host, if the policy allows every one of them.

    A single bad address refuses the host: DNS rebinding works with answers that mix good and bad addresses.

    Raises:
        FetchError: NOT_PUBLIC, or UNREACHABLE if the name has no address.
    """
    try:
        found = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise FetchError(FetchFailure.UNREACHABLE, _nowhere(target)) from error
    if not found:
        raise FetchError(FetchFailure.UNREACHABLE, _nowhere(target))
    for text in found:
        try:
            reason = policy(ip_address(text))
        except ValueError as error:
            raise FetchError(FetchFailure.NOT_PUBLIC, f"{target.host} has an address that cannot be parsed") from error
        if reason is not None:
            # A name's address would let users map the network that the service runs in.
            told = _forbidden(text, reason) if target.host == text else _nowhere(target)
            raise FetchError(FetchFailure.NOT_PUBLIC, told)
    return list(found)


def _forbidden(address: str, reason: str) -> str:
    return f"{address} must not be contacted: it {reason}"


def _nowhere(target: Target) -> str:
    return f"{target.host} has no public address"


def _checked_host(host: str) -> str:
    if ":" in host:
        if "%" in host:
            raise _bad("received an address with a zone; allowed: one without")
        try:
            return str(IPv6Address(host))
        except ValueError as error:
            raise _bad("received a host that is not an IPv6 address") from error
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise _bad("received a host that is not a valid name") from error
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("received a host that is not a valid name")
    # As in browsers and the C library, a numeric last label makes the whole host an IPv4 address.
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except ValueError as error:
            raise _bad("received an obfuscated IPv4 address; allowed: four decimal numbers") from error
    return name


def _bad(message: str) -> FetchError:
    return FetchError(FetchFailure.BAD_URL, f"URL: {message}")
