"""The line between a WebUI and the service, which a test can cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit


class Cable:
    """Carries TCP to a service; while it is cut, connections end at once."""

    def __init__(self, url: str) -> None:
        self._service = urlsplit(url)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._cut = threading.Event()
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

    def mend(self) -> None:
        self._cut.clear()

    def serve(self) -> None:
        """Carry connections until `close`."""
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
                continue
            target = (self._service.hostname or "", self._service.port or 80)
            service = socket.create_connection(target)
            with self._lock:
                self._open |= {client, service}
            for source, sink in ((client, service), (service, client)):
                self._start(source, sink)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._end_all()
        for thread in self._threads:
            thread.join(10)

    def _start(self, source: socket.socket, sink: socket.socket) -> None:
        thread = threading.Thread(target=self._carry, args=(source, sink), daemon=True)
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
