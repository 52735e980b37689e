"""The line between a WebUI and the service, which a test can cut."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit


class Cable:
    """Carries TCP to a service; while it is cut, connections end at once."""

    def __init__(self, url: str) -> None:
        self._service = urlsplit(url)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._cut = threading.Event()
        self._flows = threading.Event()
        self._flows.set()
        self._held = b""
        self._passing = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The service's address through this line."""
        port = self._server.getsockname()[1]
        return urlunsplit(self._service._replace(netloc=f"127.0.0.1:{port}"))

    def cut(self) -> None:
        self._cut.set()
        self._end_all()

    def hold(self, words: bytes, *, after: int) -> None:
        """Carry so many more requests whose first line has these words; the ones after them wait until `mend`."""
        self._passing = after
        self._flows.clear()
        self._held = words

    def mend(self) -> None:
        self._held = b""
        self._cut.clear()
        self._flows.set()

    def serve(self) -> None:
        """Carry connections until `close`."""
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._start(self._connect, client)

    def close(self) -> None:
        self._flows.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._end_all()
        for thread in self._threads:
            thread.join(10)

    def _connect(self, client: socket.socket) -> None:
        if self._is_held(client):
            self._flows.wait()
        if self._cut.is_set():
            client.close()
            return
        service = socket.create_connection((self._service.hostname or "", self._service.port or 80))
        with self._lock:
            self._open |= {client, service}
        for source, sink in ((client, service), (service, client)):
            self._start(self._carry, source, sink)

    def _is_held(self, client: socket.socket) -> bool:
        if not self._held or self._held not in client.recv(500, socket.MSG_PEEK).partition(b"\r")[0]:
            return False
        with self._lock:
            self._passing -= 1
            return self._passing < 0

    def _start(self, work: Callable[..., None], *ends: socket.socket) -> None:
        thread = threading.Thread(target=work, args=ends, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                sink.sendall(content)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _end_all(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running_cable(url: str) -> Iterator[Cable]:
    cable = Cable(url)
    thread = threading.Thread(target=cable.serve, daemon=True)
    thread.start()
    try:
        yield cable
    finally:
        cable.close()
        thread.join(10)
