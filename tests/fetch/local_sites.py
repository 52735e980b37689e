"""A TLS server on 127.0.0.1 that plays every site of a test, and a fetcher whose resolver knows only that machine."""

import contextlib
import datetime as dt
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from generate_on_cloud.fetching.public_addresses import Address, refuse_unless_public
from generate_on_cloud.fetching.safe_fetch import SafeFetch

HERE = "127.0.0.1"
NAMES = ("models.example", "cdn.example")
"""What the server's certificate is for."""


class Handler(BaseHTTPRequestHandler):
    """Answers with what the test put in `Sites.answers`."""

    protocol_version = "HTTP/1.1"
    sites: "Sites"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        host = self.headers["Host"].partition(":")[0]
        self.sites.asked.append(Asked(self.command, host, self.path, dict(self.headers), body))
        with contextlib.suppress(OSError):  # the client has heard enough, which is what most tests are about
            self.sites.answers[self.path](self)

    do_GET = do_POST = _serve  # noqa: N815 - the names http.server looks for

    def answer(self, body: bytes = b"", *, status: int = 200, **headers: str) -> None:
        """A whole answer; `headers` with underscores for hyphens."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, content: bytes, *, chunked: bool) -> None:
        """A whole file; in chunks, nobody knows how long it is before its end."""
        if not chunked:
            self.answer(content)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Say nothing."""


@dataclass(frozen=True)
class Asked:
    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sites:
    """The server's port, what it answers by path, and what it was asked."""

    port: int
    fetch: SafeFetch
    answers: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """What the resolver says; every other name is this machine."""

    def forget(self) -> None:
        """Be as new."""
        for kept in (self.answers, self.asked, self.looked_up, self.addresses):
            kept.clear()

    def url(self, path: str = "/", host: str = "models.example") -> str:
        return f"https://{host}:{self.port}{path}"

    def on(self, path: str, answer: Callable[[Handler], None]) -> str:
        self.answers[path] = answer
        return self.url(path)

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        return self.on(path, lambda handler: handler.answer(status=status, Location=location))

    def resolve(self, host: str, _port: int) -> list[str]:
        self.looked_up.append(host)
        return self.addresses.get(host, [HERE])


def allow_only_here(address: Address) -> str | None:
    """Production's policy, but for this machine, where the tests' sites live."""
    return None if str(address) == HERE else refuse_unless_public(address)


@contextlib.contextmanager
def open_sites(folder: Path) -> Iterator[Sites]:
    chain = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    handler = type("SitesHandler", (Handler,), {})
    server = ThreadingHTTPServer((HERE, 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # refused handshakes
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trusting = ssl.create_default_context(cafile=chain)
    sites = Sites(port=server.server_port, fetch=SafeFetch(tls=trusting, policy=allow_only_here))
    sites.fetch = replace(sites.fetch, resolve=sites.resolve)
    handler.sites = sites  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sites
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sites of the tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "chain.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
