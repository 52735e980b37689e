"""Sends the bodies of goldens to `goc serve`, as a client of WebUI would, and compares the whole answers."""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from checks.fidelity.comparison import Comparison, Verdict, compare, without_answer
from checks.fidelity.goldens import Golden
from checks.fidelity.model_shelf import SHORT_HASH, ModelShelf, file_sha256
from checks.fidelity.recording import Recording
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.login import Login
from generate_on_cloud.serve.callers import KeptSettings
from generate_on_cloud.serve.gate import Gate, Rules
from generate_on_cloud.serve.report import JobReport
from generate_on_cloud.serve.server import LOOPBACK, answering, bound
from generate_on_cloud.serve.session import NarrowSession
from inference_container.task import EncodedImage, TaskOutput
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import free_port

_PICTURES = ("init_images", "mask")
"""Left out of the goldens' echo, where WebUI has null."""


class FaceRuns:
    """A local cloud with the goldens' models, and `goc serve` in front of it."""

    def __init__(self, shelf: ModelShelf, *, work: Path) -> None:
        self._shelf = shelf
        self._cloud = LocalCloud(work / "cloud", container_environment={"OMP_NUM_THREADS": "1"})
        self._url = ""
        self._server: uvicorn.Server
        self._hashes: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._cloud.start()
        login = Login(url=self._cloud.api_url, api_key=self._cloud.admin_key)
        with GenerateOnCloud(login.url, login.api_key) as service:
            for file in self._shelf.files:
                service.assets.upload(file.path, file.type)
                # The checkpoint was packed with its configuration: its hash is not that in WebUI's answers.
                self._hashes[file.sha256[:SHORT_HASH]] = file_sha256(file.path)[:SHORT_HASH]
        session = NarrowSession(login)
        app = answering(session.cloud, KeptSettings(None), JobReport(lambda _: None, price_per_hour=None))
        self._server = uvicorn.Server(uvicorn.Config(Gate(app, Rules()), lifespan="off", log_level="error"))
        threading.Thread(target=self._serve, args=(port := free_port(),), daemon=True).start()
        self._url = f"http://{LOOPBACK}:{port}"
        return self

    def _serve(self, port: int) -> None:
        with bound(LOOPBACK, port) as listener:
            self._server.run(sockets=[listener])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._cloud.stop()

    def run(self, golden: Golden) -> Comparison:
        """Send the golden's body, with its model chosen in the options, and return its row."""
        expected = self._with_our_hashes(replace(golden, latents=None, levels=None))
        transport = httpx.HTTPTransport(retries=20)  # the server may not listen yet
        with httpx.Client(base_url=self._url, timeout=300, transport=transport) as webui:
            model = golden.model or self._shelf.files[0].path.stem
            chosen = webui.post("/sdapi/v1/options", json={"sd_model_checkpoint": model})
            answer = webui.post(golden.endpoint, json=golden.body) if chosen.is_success else chosen
        if answer.is_error:
            verdict = Verdict.REFUSED if answer.status_code < 500 else Verdict.CRASHED
            return without_answer(golden, verdict, f"{answer.status_code}: {answer.text[:300]}")
        said = answer.json()
        row = compare(expected, _output(said), Recording(), random_subseed=golden.body.get("subseed", -1) == -1)
        faults = _echo_differences(said.get("parameters"), golden.parameters)
        if not faults:
            return row
        return replace(row, verdict=Verdict.DIFFERS, notes=(*row.notes, *faults))

    def _with_our_hashes(self, golden: Golden) -> Golden:
        for image in golden.images:
            for name, text in image.info.items():
                if isinstance(text, str):
                    image.info[name] = self._translated(text)
        return replace(golden, info=json.loads(self._translated(json.dumps(golden.info))))

    def _translated(self, text: str) -> str:
        for theirs, ours in self._hashes.items():
            text = text.replace(theirs, ours)
        return text


def _output(said: Mapping[str, Any]) -> TaskOutput:
    pictures = said["images"] if "images" in said else [said["image"]]
    info = {"html_info": said["html_info"]} if "html_info" in said else json.loads(said["info"])
    images = (EncodedImage(base64.b64decode(one), "png", 0, 0, None, "") for one in pictures)
    return TaskOutput(images=tuple(images), info=info)


def _echo_differences(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> list[str]:
    if theirs is None or ours is None:
        return []
    wanted = {**dict.fromkeys(name for name in _PICTURES if name in ours), **theirs}
    return [
        f"parameters.{name}: {ours.get(name)!r} for {wanted.get(name)!r}"
        for name in {**wanted, **ours}
        if (name in ours) != (name in wanted) or ours.get(name) != wanted.get(name)
    ]
