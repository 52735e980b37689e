"""A worker process without models, for the pool's tests: it answers with its GPU and its own id, or dies when told."""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer({"status": "ready"})

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if document.get("die"):
            os._exit(9)
        deadline = time.monotonic() + 60
        while document.get("wait") and not Path(document["wait"]).exists() and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        info = {"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "pid": os.getpid(), "workers": os.environ.get("WORKERS")}
        self._answer({"job_id": document["job_id"], "task": "txt2img", "info": info})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server wants
        pass

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    if "--broken" in sys.argv:
        sys.exit(3)
    server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(1)), daemon=True).start()
    server.serve_forever()
