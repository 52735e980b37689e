"""Reads folders of goldens: requests together with WebUI's own answers."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from generate_on_cloud.contract.jobs import Task

Floats = npt.NDArray[np.float32]
Info = Mapping[str, Any] | str
"""WebUI's `info` document, or for the Extras tab its line of HTML."""

TASKS_BY_ENDPOINT: Mapping[str, Task] = {
    "/sdapi/v1/txt2img": Task.TXT2IMG,
    "/sdapi/v1/img2img": Task.IMG2IMG,
    "/sdapi/v1/extra-single-image": Task.EXTRA_SINGLE_IMAGE,
    "/sdapi/v1/extra-batch-images": Task.EXTRA_BATCH_IMAGES,
}


@dataclass(frozen=True)
class Golden:
    """One request and WebUI's answer."""

    group: str
    """The set it belongs to."""
    id: str
    endpoint: str
    model: str | None
    """Stem of the loaded checkpoint; None if there is only one."""
    body: Mapping[str, Any]
    """The body as sent, with pictures as base64."""
    info: Info
    images: tuple[Image.Image, ...]
    parameters: Mapping[str, Any] | None
    """WebUI's echo of the request; None if it was not kept."""
    latents: Floats | None
    """WebUI's final latents, shape (rows, 4, h, w), of all batches or of one; None if they were not kept."""
    levels: Floats | None
    """σ (or timestep, for timestep samplers) of every denoiser call; None if they were not kept."""

    @property
    def name(self) -> str:
        return f"{self.group}/{self.id}"

    @property
    def task(self) -> Task | None:
        """The task for this endpoint; None if there is none."""
        return TASKS_BY_ENDPOINT.get(self.endpoint)


def golden_folders(folder: Path) -> list[Path]:
    """`folder` itself if it contains requests, else its folders that do.

    Raises:
        FileNotFoundError: none of them contains a `requests.jsonl`.
    """
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = [path for path in candidates if (path / "requests.jsonl").exists()]
    if not found:
        raise FileNotFoundError(f"received {folder}; allowed: a folder with requests.jsonl, or with such folders")
    return found


def read_goldens(folder: Path) -> Iterator[Golden]:
    """Every request of the folder's `requests.jsonl`, in order, with WebUI's answer."""
    for line in (folder / "requests.jsonl").read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        name = request["id"]
        answer = json.loads((folder / "info" / f"{name}.json").read_text(encoding="utf-8"))
        latents, steps = folder / "latents" / f"{name}.npy", folder / "steps" / f"{name}.npz"
        yield Golden(
            group=folder.name,
            id=name,
            endpoint=request["endpoint"],
            model=request.get("model"),
            body=_expand(request["body"], folder),
            info=answer["info"],
            images=tuple(_open(folder / "png" / f"{name}_{number}.png") for number in range(answer["n_images"])),
            parameters=answer.get("parameters"),
            latents=np.load(latents) if latents.exists() else None,
            levels=_levels(steps) if steps.exists() else None,
        )


def _levels(steps: Path) -> Floats:
    """The level of every call; all rows of a call have the same, so the first is taken if their numbers differ."""
    with np.load(steps) as stored:
        sigma = np.asarray(stored["sigma"], np.float32)
        if sigma.ndim == 2:
            return sigma[:, 0]
        counts = np.asarray(stored["rows"])
        return sigma[np.cumsum(counts) - counts]  # type: ignore[no-any-return]


def _expand(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, folder) for item in value]
    if isinstance(value, str) and value.startswith("@inputs/"):
        return base64.b64encode((folder / value[1:]).read_bytes()).decode()
    return value


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image
