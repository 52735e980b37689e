"""Reads a folder of goldens: requests that WebUI itself answered, its answers, and the model it answered with."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.torch import load_file, save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams
from inference_container.models.files import ModelFile
from inference_container.models.model_config import PACKED_CONFIG

Floats = npt.NDArray[np.float32]

TASKS_BY_ENDPOINT: Mapping[str, Task] = {"/sdapi/v1/txt2img": Task.TXT2IMG, "/sdapi/v1/img2img": Task.IMG2IMG}


@dataclass(frozen=True)
class Golden:
    """One request and what WebUI answered."""

    id: str
    task: Task
    params: ImageParams
    info: Mapping[str, Any]
    infotexts: tuple[str, ...]
    """The `parameters` chunk of each picture."""
    images: tuple[Image.Image, ...]
    latents: Floats | None
    """Final latents, shape (batch, 4, h, w); None when WebUI's were not kept."""
    levels: Floats | None
    """σ, or the timestep for samplers that work on timesteps, of every row of every denoiser call; or None."""
    calls: int


def read_goldens(folder: Path) -> Iterator[Golden]:
    """Every request of `requests.jsonl`, one after the other.

    Raises:
        pydantic.ValidationError: a request the contract does not take.
    """
    for line in (folder / "requests.jsonl").read_text(encoding="utf-8").splitlines():
        request = json.loads(line)
        name = request["id"]
        task = TASKS_BY_ENDPOINT[request["endpoint"]]
        params = PARAMS_BY_TASK[task].model_validate(_expand(request["body"], folder))
        assert isinstance(params, ImageParams)
        answer = json.loads((folder / "info" / f"{name}.json").read_text(encoding="utf-8"))
        images = tuple(_open(folder / "png" / f"{name}_{number}.png") for number in range(answer["n_images"]))
        latents, steps = folder / "latents" / f"{name}.npy", folder / "steps" / f"{name}.npz"
        levels = np.load(steps)["sigma"] if steps.exists() else None
        yield Golden(
            id=name,
            task=task,
            params=params,
            info=answer["info"],
            infotexts=tuple(str(image.info["parameters"]) for image in images),
            images=images,
            latents=np.load(latents) if latents.exists() else None,
            levels=None if levels is None else levels.ravel(),
            calls=0 if levels is None else len(levels),
        )


def repack_model(folder: Path, *, to: Path) -> ModelFile:
    """The goldens' checkpoint with its configuration packed in, as a user's file of the original's name and hash."""
    model = folder / "model"
    architecture = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    config: dict[str, Any] = {
        "unet/config.json": _without_notes(architecture["unet_diffusers"]),
        "vae/config.json": _without_notes(architecture["vae_diffusers"]),
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], **architecture["clip"]},
        "scheduler/scheduler_config.json": {
            **architecture["scheduler"],
            "prediction_type": architecture["prediction_type"],
        },
    }
    for path in sorted((model / "tiny_clip").iterdir()):
        if path.name != "config.json":
            config[f"tokenizer/{path.name}"] = path.read_text(encoding="utf-8")
    (original,) = model.glob("*.safetensors")
    packed = to / original.name
    save_file(load_file(original), packed, metadata={PACKED_CONFIG: json.dumps(config)})
    return ModelFile(AssetType.CHECKPOINT, original.name, packed, hashlib.sha256(original.read_bytes()).hexdigest())


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


def _without_notes(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not key.startswith("_note")}
