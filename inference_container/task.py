"""What every task takes and gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.task_params import TaskParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.phase_clock import PhaseClock

ReportProgress = Callable[[Progress], None]
"""Called at every sampling step and change of phase; raises JobFailed (code canceled) when the job must stop."""

OfferPreview = Callable[[Callable[[], bytes]], None]
"""Given what would render the newest preview as a JPEG file; it may be called later, on another thread, or never."""


def load_nothing(file: ModelFile) -> Checkpoint:
    """For tasks that were given no models to load.

    Raises:
        LookupError: always.
    """
    raise LookupError(f"received {file.name}; nothing here loads checkpoints")


@dataclass(frozen=True)
class TaskInput:
    params: TaskParams
    checkpoint: Checkpoint | None
    """None for the tasks that need none."""
    report: ReportProgress
    preview: OfferPreview | None = None
    """None: nobody asked for previews."""
    files: JobFiles = field(default_factory=JobFiles)
    """All files of the job, the checkpoint's among them."""
    models: ModelCache = field(default_factory=lambda: ModelCache(max_bytes=0, load=load_nothing))
    """Loads what else the task needs of `files`, or has it still in memory."""
    clock: PhaseClock = field(default_factory=PhaseClock)
    """Of the job: the task's phases are measured by it."""


@dataclass(frozen=True)
class EncodedImage:
    """A finished picture as file bytes."""

    data: bytes
    format: str
    """`png`, `jpeg` or `webp`."""
    width: int
    height: int
    seed: int | None
    infotext: str


@dataclass(frozen=True)
class TaskOutput:
    images: tuple[EncodedImage, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    """WebUI's `info` document, parsed (semantics §1.4)."""
    parameters: dict[str, Any] = field(default_factory=dict)
    caption: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    """By tag or phrase of the caption, 0 to 1."""


Params = TypeVar("Params", bound=TaskParams)


def image_task(job: TaskInput, kind: type[Params]) -> tuple[Params, Checkpoint]:
    """What a task that draws works with.

    Raises:
        TypeError: the worker handed over another task's params, or no checkpoint.
    """
    if not isinstance(job.params, kind) or job.checkpoint is None:
        raise TypeError(
            f"received {type(job.params).__name__} and {job.checkpoint!r}; needs {kind.__name__} and a model"
        )
    return job.params, job.checkpoint


TaskRunner = Callable[[TaskInput], TaskOutput]
