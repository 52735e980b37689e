"""The inputs and outputs of every task."""

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
"""Called at every sampling step and change of phase; raises JobFailed (code canceled) if the job must stop."""

OfferPreview = Callable[[Callable[[], bytes]], None]
"""Called with a function that renders the newest preview as a JPEG, which may run later, on another thread or never."""


def no_skips() -> int:
    """For tasks whose batches nobody skips."""
    return 0


def load_nothing(file: ModelFile) -> Checkpoint:
    """The loader for tasks without models.

    Raises:
        LookupError: always.
    """
    raise LookupError(f"received {file.name}; this task cannot load checkpoints")


@dataclass(frozen=True)
class TaskInput:
    params: TaskParams
    checkpoint: Checkpoint | None
    """None for tasks that do not need one."""
    report: ReportProgress
    preview: OfferPreview | None = None
    """None if the job requested no previews."""
    skips: Callable[[], int] = no_skips
    """Grows when the user asks to skip the batch that is being drawn."""
    files: JobFiles = field(default_factory=JobFiles)
    """All files of the job, including the checkpoint's."""
    models: ModelCache = field(default_factory=lambda: ModelCache(max_bytes=0, load=load_nothing))
    """Loads the other `files` that the task needs, or still has them in memory."""
    clock: PhaseClock = field(default_factory=PhaseClock)
    """The job's clock, which also measures the task's phases."""


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
    """WebUI's `info` document as a dictionary (semantics §1.4)."""
    parameters: dict[str, Any] = field(default_factory=dict)
    caption: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    """Scores from 0 to 1 by tag or phrase of the caption."""
    warnings: tuple[str, ...] = ()
    """What of the model files was left out."""


Params = TypeVar("Params", bound=TaskParams)


def image_task(job: TaskInput, kind: type[Params]) -> tuple[Params, Checkpoint]:
    """The params and the checkpoint of a task that draws.

    Raises:
        TypeError: the worker passed another task's params, or no checkpoint.
    """
    if not isinstance(job.params, kind) or job.checkpoint is None:
        raise TypeError(
            f"received {type(job.params).__name__} and {job.checkpoint!r}; needs {kind.__name__} and a model"
        )
    return job.params, job.checkpoint


TaskRunner = Callable[[TaskInput], TaskOutput]
