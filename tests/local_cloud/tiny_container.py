"""A container program with SageMaker's contract and no model: a request document tells it what to do.

`{"text": …}` is answered in capitals, `{"fail": status}` with that status, `{"exit": code}` ends the process,
`{"signal": number}` kills it, `{"hold": path}` waits until the file exists. CONTAINER_END ends it at the start, and so
does CONTAINER_BROKEN once the file it names exists. It is not ready while the file that CONTAINER_WAITS names exists.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_ready = not Path(os.environ.get("CONTAINER_WAITS", "/nowhere")).exists()
        self._answer((200 if is_ready else 503) if self.path == "/ping" else 404, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "log" in request:
            with Path(request["log"]).open("a") as log:
                log.write(f"{self.headers['X-Amzn-SageMaker-Inference-Id']}\n")
        if "exit" in request:
            os._exit(request["exit"])
        if "signal" in request:
            os.kill(os.getpid(), request["signal"])
        deadline = time.monotonic() + 110
        while "hold" in request and not Path(request["hold"]).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if "fail" in request:
            self._answer(request["fail"], {"error": {"code": "bad_image", "message": "no picture"}})
        else:
            self._answer(200, {"text": request["text"].upper(), "greeting": os.environ["GREETING"]})

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    if "CONTAINER_END" in os.environ:
        sys.exit(int(os.environ["CONTAINER_END"]))
    if Path(os.environ.get("CONTAINER_BROKEN", "/nowhere")).exists():
        sys.exit(3)
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
