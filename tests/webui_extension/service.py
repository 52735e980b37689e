"""A small HTTP server in place of the service and its storage."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from webui_extension.core.connection import Connection
from webui_extension.core.login import Login

Answer = tuple[int, object]


@dataclass
class Service:
    """What the server answers, by method and path; each request is kept."""

    url: str = ""
    answers: dict[str, Callable[[Any], Answer]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any] | bytes, dict[str, str]]] = field(default_factory=list)

    def connection(self) -> Connection:
        return Connection(Login(self.url, "goc_key"))

    def sent(self, request: str) -> list[Any]:
        return [body for name, body, _ in self.requests if name == request]


def refusal(status: int, **problem: object) -> Callable[[object], Answer]:
    return lambda _: (status, problem)


@contextmanager
def running_service() -> Iterator[Service]:
    """A server for one test."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            name = f"{self.command} {self.path.partition('?')[0]}"
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = self.headers.get("Content-Type") == "application/json"
            body = json.loads(content) if is_json and content else content
            service.requests.append((name, body, dict(self.headers)))
            status, document = service.answers.get(name, refusal(404, code="not_found", detail=name))(body)
            told = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}/prod"
        yield service
        server.shutdown()
        thread.join()
