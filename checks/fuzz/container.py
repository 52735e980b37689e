"""A container program that fails every job at once, because only the API is fuzzed."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.messages import JobFailure


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        error = JobError(code=JobErrorCode.BAD_IMAGE, message="this container draws nothing", retryable=False)
        self._answer(400, JobFailure(error=error).model_dump_json().encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
        """Log nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
