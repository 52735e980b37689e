"""Runs a task on a checkpoint as the worker would, from WebUI's request body to pictures."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.phase_clock import PhaseClock
from inference_container.task import TaskInput, TaskOutput, load_nothing, no_skips
from inference_container.tasks import TASKS

SMALL: dict[str, Any] = {
    "prompt": "the red cat",
    "steps": 2,
    "width": 64,
    "height": 64,
    "seed": 7,
    "override_settings": {"randn_source": "CPU"},
}


def run(
    checkpoint: Checkpoint,
    task: Task,
    *,
    report: Callable[[Progress], None] = lambda _: None,
    files: Sequence[ModelFile] = (),
    clock: PhaseClock | None = None,
    skips: Callable[[], int] = no_skips,
    **body: Any,
) -> TaskOutput:
    """What the task answers to SMALL with `body` laid over it; `override_settings` are merged."""
    options = {**SMALL["override_settings"], **body.pop("override_settings", {})}
    params = PARAMS_BY_TASK[task].model_validate({**SMALL, **body, "override_settings": options})
    assert params.unsupported() == []
    models = ModelCache(max_bytes=2**30, load=load_nothing)
    return TASKS[task](
        TaskInput(
            params,
            checkpoint,
            report,
            files=JobFiles(files),
            models=models,
            clock=clock or PhaseClock(),
            skips=skips,
        )
    )


def opened(output: TaskOutput, number: int = 0) -> Image.Image:
    """A picture of the answer, from its file."""
    with Image.open(io.BytesIO(output.images[number].data)) as image:
        image.load()
        return image


def pixels(output: TaskOutput, number: int = 0) -> npt.NDArray[np.uint8]:
    """Shape (height, width, 3)."""
    return np.asarray(opened(output, number))
