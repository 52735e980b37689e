"""Starts the WebUI whose page a test drives: a stand-in in its own environment, or a real one."""

import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.patience import wait_for

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
PATIENCE = 240.0
"""Seconds for one thing to happen: a busy machine starts a page in twenty, a real host in a hundred."""
EXTENSIONS = {"generate-on-cloud": ROOT / "webui_extension", "face-maker": HERE / "face_maker"}
REAL_ARGUMENTS = (
    "--skip-prepare-environment --skip-install --skip-torch-cuda-test --skip-python-version-check "
    "--skip-version-check --no-download-sd-model"
)
ON_A_CPU = "--use-cpu all --no-half --no-half-vae"
FORGE_ON_A_CPU = "--always-cpu"
SMALL = {"Width": 64, "Height": 64, "Denoising strength": 0.6}
SCRIPTS: Mapping[str, Mapping[str, object]] = {
    "sampler.py": {"Sampling steps": 8, "Sampling method": "Euler"},
    "seed.py": {"Seed": 7},
}
"""What the tabs of a real host show when they open, as those of the stand-ins."""


@dataclass(frozen=True)
class Host:
    """A WebUI that can be started with a data folder of the test's choice."""

    kind: str
    """`AUTOMATIC1111` or `Forge`: whose canvases and gradio it has. Forge Classic has AUTOMATIC1111's."""
    python: Path
    start: Sequence[str | Path]
    """Arguments before the port."""
    folder: Path | None = None
    """Where a real one is installed; it is not changed."""

    def __str__(self) -> str:
        return self.kind if self.folder is None else f"real-{self.kind}"

    @property
    def is_real(self) -> bool:
        return self.folder is not None


def hosts() -> list[Host]:
    """The real host of `make webui-real`, else both stand-ins."""
    folder = os.environ.get("WEBUI_FOLDER")
    if folder:
        return [_real(Path(folder).resolve())]
    return stand_ins()


def stand_ins() -> list[Host]:
    """AUTOMATIC1111's and Forge's, each in an environment with that host's gradio; `WEBUI_KIND` names one of them."""
    script, only = HERE / "standin" / "host.py", os.environ.get("WEBUI_KIND")
    return [
        Host(kind, ROOT / environment / "bin" / "python", [script])
        for kind, environment in (("AUTOMATIC1111", ".venv-gradio3"), ("Forge", ".venv-gradio4"))
        if only in (None, kind)
    ]


def _real(folder: Path) -> Host:
    forge = folder / "modules_forge"
    kind = "Forge" if (forge / "forge_canvas").exists() else "AUTOMATIC1111"
    python = os.environ.get("WEBUI_PYTHON") or folder / "venv" / "bin" / "python"
    arguments = os.environ.get("WEBUI_ARGS") or f"{REAL_ARGUMENTS} {FORGE_ON_A_CPU if forge.exists() else ON_A_CPU}"
    return Host(kind, Path(python), ["launch.py", *shlex.split(arguments), "--port"], folder)


def chosen_checkpoint() -> Path | None:
    """The file that `make webui-real CHECKPOINT=FILE` names for the host to draw with."""
    chosen = os.environ.get("WEBUI_CHECKPOINT")
    return Path(chosen).resolve() if chosen else None


def need(program: Path) -> None:
    """Skip the test where a program is missing; `make webui-test`, which creates them, fails instead."""
    if program.exists():
        return
    reason = f"{program} is missing: `make webui-environments`, and Debian's chromium"
    if os.environ.get("WEBUI_TESTS"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def browser() -> Iterator[Browser]:
    need(Path(CHROMIUM))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def prepare(host: Host, folder: Path, checkpoint: Path | None = None) -> None:
    """Make a data folder: the extensions, and what a real host's tabs show when they open."""
    extensions = folder / "extensions"
    extensions.mkdir(parents=True, exist_ok=True)
    for name, place in EXTENSIONS.items():
        if not (extensions / name).exists():
            (extensions / name).symlink_to(place)
    if not host.is_real:
        return
    models = folder / "models" / "Stable-diffusion"
    models.mkdir(parents=True, exist_ok=True)
    if checkpoint is not None:
        for file in (checkpoint, checkpoint.with_suffix(".yaml")):
            if file.exists():
                (models / file.name).symlink_to(file.resolve())
    values: dict[str, object] = {
        f"{tab}/{label}/value": value for tab in ("txt2img", "img2img") for label, value in SMALL.items()
    }
    for tab in ("txt2img", "img2img"):
        for script, labels in SCRIPTS.items():
            values |= {f"customscript/{script}/{tab}/{label}/value": value for label, value in labels.items()}
    (folder / "ui-config.json").write_text(json.dumps(values))
    settings: dict[str, object] = {
        "live_previews_enable": False,
        "randn_source": "CPU",
        "samples_filename_pattern": "[seed]",
    }
    for tab in ("t2i", "i2i"):  # a page of Forge sets its fields from these when it opens
        settings |= {f"sd_{tab}_width": 64, f"sd_{tab}_height": 64, f"sd_{tab}_sampler": "Euler"}
    change_settings(host, folder, settings)


def change_settings(host: Host, folder: Path, settings: Mapping[str, object]) -> None:
    """Write settings of the host, which it reads when it starts."""
    file = folder / ("config.json" if host.is_real else "settings.json")
    known = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**known, **settings}))


@contextmanager
def running_host(
    host: Host, folder: Path, environment: Mapping[str, str] | None = None, *, port: int | None = None
) -> Iterator[str]:
    """The address of a host with this data folder, which `prepare` has made."""
    need(host.python)
    port = port or free_port()
    address = f"http://127.0.0.1:{port}/"
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "configuration"),
        "STANDIN_FOLDER": str(folder), "GRADIO_ANALYTICS_ENABLED": "False", "no_proxy": "127.0.0.1,localhost",
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "passive",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    more = ["--data-dir", str(folder)] if host.is_real else []
    if host.is_real and host.kind == "Forge":  # its page loads the host's own JavaScript only from allowed folders
        more += ["--gradio-allowed-path", str(host.folder)]
    with (folder / "host.log").open("ab") as log:
        process = subprocess.Popen(
            [host.python, *host.start, str(port), *more], cwd=host.folder or folder,
            env={**variables, **(environment or {})}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or _answers(address), "the host's page", seconds=PATIENCE)
        assert process.poll() is None, (folder / "host.log").read_text()[-5000:]
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urlopen(address) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
