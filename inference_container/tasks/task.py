"""What every task takes and gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from inference_container.contract.messages import Progress
from inference_container.contract.params import TaskParams
from inference_container.models.checkpoint import Checkpoint

ReportProgress = Callable[[Progress], None]
"""Called at every sampling step and change of phase; raises JobFailed (code canceled) when the job must stop."""


@dataclass(frozen=True)
class TaskInput:
    params: TaskParams
    checkpoint: Checkpoint | None
    """None only for the interrogate tasks."""
    report: ReportProgress


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
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by `JobPhase` name."""


TaskRunner = Callable[[TaskInput], TaskOutput]
