"""What every check has: the device, its model files, and a way to draw one picture."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import save_file

from checks.gpu.full_size import sd15_state, sdxl_state
from demo_models.checkpoint import TRAINED
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.devices import choose_dtype
from inference_container.models.files import ModelFile
from inference_container.task import TaskInput
from inference_container.tasks import TASKS
from tests.tiny_checkpoint import write_tiny_checkpoint
from tests.tiny_families import write_family

Levels = npt.NDArray[np.int16]
"""A picture's levels, (height, width, 3), 0 to 255."""
PROMPT = "a red circle on a blue background"
TRAINED_MODEL = "the trained demo model"
TINY = {"tiny SD 1": None, "tiny SD 2": Family.SD2, "tiny SDXL": Family.SDXL}


@dataclass
class Bench:
    device: torch.device
    folder: Path
    """Where model files are written."""
    tiny: bool
    """Whether the tiny models take the place of those of full size."""
    ends_at: float
    """By `time.monotonic`; no check begins afterwards."""

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        """The precision of a job by default here."""
        return choose_dtype("auto", self.device)

    def small_models(self) -> dict[str, ModelFile]:
        """The trained demo model and a tiny random one of each family."""
        files = {TRAINED_MODEL: _file(TRAINED)}
        for name, family in TINY.items():
            path = self.folder / f"{name.replace(' ', '-')}.safetensors"
            if not path.is_file():
                write_tiny_checkpoint(path) if family is None else write_family(path, family)
            files[name] = _file(path)
        return files

    def large_model(self, name: str, *, seed: int = 0) -> ModelFile:
        """`SD 1.5` or `SDXL` of full size in float16 with random weights; tiny ones with `tiny`."""
        if self.tiny:
            return self.small_models()["tiny SDXL" if name == "SDXL" else "tiny SD 1"]
        path = self.folder / f"{name.replace(' ', '-')}-{seed}.safetensors"
        if not path.is_file():
            save_file((sdxl_state if name == "SDXL" else sd15_state)(seed), path)
        return _file(path)

    def synchronize(self) -> None:
        """Wait until the GPU has done everything it was given."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def seconds(self) -> float:
        self.synchronize()
        return time.perf_counter()


def draw(checkpoint: Checkpoint, *, size: int, steps: int, **more: Any) -> Levels:
    """Draw one picture of txt2img by Euler with a fixed seed, through the container's own task."""
    body: Mapping[str, Any] = {"prompt": PROMPT, "steps": steps, "width": size, "height": size, "seed": 1, **more}
    params = PARAMS_BY_TASK[Task.TXT2IMG].model_validate({"sampler_name": "Euler", **body})
    output = TASKS[Task.TXT2IMG](TaskInput(params, checkpoint, report=lambda _: None))
    with Image.open(io.BytesIO(output.images[0].data)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def difference(ours: Levels, theirs: Levels) -> tuple[float, float]:
    """The mean difference in levels, and the share of values within two levels."""
    apart = np.abs(ours - theirs)
    return float(apart.mean()), float((apart <= 2).mean())


def _file(path: Path) -> ModelFile:
    # The models never leave this program, so their names are enough to tell them apart.
    return ModelFile(AssetType.CHECKPOINT, path.name, path, path.stem.encode().hex().ljust(64, "0")[:64])
