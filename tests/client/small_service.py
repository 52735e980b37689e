"""A service and its storage on this machine, just large enough for `goc` in a process of its own."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIME = "2026-01-02T03:04:05.000000Z"
Answer = tuple[int, object]


def asset(status: str = "active", **fields: object) -> dict[str, object]:
    row = {"asset_id": "a1", "type": "lora", "name": "x.safetensors", "size": 5, "sha256": None}
    return row | {"status": status, "created_at": TIME} | fields


def job(status: str = "queued", **fields: object) -> dict[str, object]:
    return {
        "job_id": "j1",
        "line": f"{TIME} → img2img → {status} → j1",
        "task": "img2img",
        "status": status,
        "checkpoint": "a.safetensors",
        "endpoint": "e",
        "created_at": TIME,
    } | fields


def problem(status: int, code: str) -> Answer:
    said = {"type": f"urn:generate-on-cloud:problem:{code}", "title": code, "detail": f"It is {code}."}
    return status, said | {"status": status, "code": code, "request_id": "r1"}


@dataclass
class SmallService:
    """Answers by `METHOD path`, a list one after the other; one upload in parts of `part_size` bytes."""

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    size: int = 0
    part_size: int = 1
    taken_before_it_stalls: int = 10**9
    """Parts that storage takes; the body of every further one is read to its half, and no more."""
    stored: dict[int, bytes] = field(default_factory=dict)
    begun: Counter[int] = field(default_factory=Counter)
    """How often the sending of each part was begun."""
    stalled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """One for each part that is half-way."""
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path with query, and body of every request to the API."""
    keys: list[str] = field(default_factory=list)
    """Every `Idempotency-Key` that came."""
    traces: list[str] = field(default_factory=list)
    """Every `traceparent` that came."""
    stored_pictures: dict[str, bytes] = field(default_factory=dict)
    raw: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    """Paths at which another program answers: status, body and content type."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def sizes(self) -> dict[int, int]:
        starts = range(0, self.size, self.part_size)
        return {number: min(self.part_size, self.size - start) for number, start in enumerate(starts, start=1)}

    def uploading(self) -> dict[str, object]:
        parts = [
            {
                "part_number": number,
                "offset": (number - 1) * self.part_size,
                "size": size,
                "url": None,
                "received": number in self.stored,
                "sha256": hashlib.sha256(self.stored[number]).hexdigest() if number in self.stored else None,
            }
            for number, size in self.sizes().items()
        ]
        upload = {"part_size": self.part_size, "expires_at": TIME, "parts": parts, "checksum_algorithm": "SHA256"}
        return asset("uploading", size=self.size, upload=upload)

    def signed(self, body: bytes) -> dict[str, object]:
        parts = [
            {
                "part_number": part["part_number"],
                "url": f"{self.url}/part/{part['part_number']}",
                "headers": {"x-amz-checksum-sha256": part["sha256"]},
            }
            for part in json.loads(body)["parts"]
        ]
        return {"parts": parts, "expires_at": TIME}

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        given = self.answers.get(f"{method} {path}")
        if isinstance(given, list):
            return given.pop(0)
        if given is not None:
            return given
        nothing: dict[str, object] = {"assets": [], "next_cursor": None}
        always: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "/v1/assets"): lambda: (200, nothing),
            ("POST", "/v1/assets"): lambda: (201, self.uploading()),
            ("GET", "/v1/assets/a1"): lambda: (200, self.uploading()),
            ("POST", "/v1/assets/a1/parts"): lambda: (200, self.signed(body)),
            ("POST", "/v1/assets/a1/complete"): self.completed,
        }
        return always.get((method, path), lambda: problem(404, "not_found"))()

    def completed(self) -> Answer:
        missing = self.sizes().keys() - self.stored.keys()
        return problem(409, "upload_incomplete") if missing else (200, asset(size=self.size))

    def take_part(self, handler: BaseHTTPRequestHandler, number: int) -> None:
        length = int(handler.headers["content-length"])
        with self._lock:
            self.begun[number] += 1
            stalls = self.begun.total() > self.taken_before_it_stalls
        body = handler.rfile.read(length // 2 if stalls else length)
        if stalls:
            self.stalled.release()
            self.go_on.wait(60)
            handler.close_connection = True  # what was half-way when its sender died never arrives
            return
        is_right = hashlib.sha256(body).hexdigest() == handler.headers["x-amz-checksum-sha256"]
        if is_right:
            self.stored[number] = body
        handler.send_response(200 if is_right else 400)
        handler.send_header("content-length", "0")
        handler.end_headers()

    def environment(self) -> Mapping[str, str]:
        return {"GOC_URL": self.url, "GOC_API_KEY": "goc_key"}


@contextmanager
def open_service(service: SmallService) -> Iterator[SmallService]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/part/"):
                service.take_part(self, int(path.rpartition("/")[2]))
                return
            if path in service.stored_pictures:
                self._send(200, service.stored_pictures[path])
                return
            if path in service.raw:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self._send(*service.raw[path])
                return
            service.traces += self.headers.get_all("traceparent", [])
            if "Idempotency-Key" in self.headers:
                service.keys.append(self.headers["Idempotency-Key"])
            asked = self.rfile.read(int(self.headers.get("content-length", 0)))
            service.asked.append((self.command, self.path, json.loads(asked or b"null")))
            status, document = service.answer(self.command, path, asked)
            self._send(status, b"" if document is None else json.dumps(document).encode())

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        service.go_on.set()
        server.shutdown()
        thread.join(20)
        server.server_close()
