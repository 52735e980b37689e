"""The inputs and results of measurements."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from demo_models.contact_sheet import save_contact_sheet
from demo_models.judge import Judge, Reading
from demo_models.renderer import Renderer
from demo_models.scenes import Scene, draw_scenes
from inference_container.models.checkpoint import Checkpoint

WHAT = ("background", "first_shape", "first_colour", "second_shape", "second_colour")
"""The questions that decide whether a picture follows its prompt; size and place are measured separately."""


@dataclass(frozen=True)
class Bench:
    """The inputs of every measurement."""

    checkpoint: Checkpoint
    judge: Judge
    renderer: Renderer
    samples: int
    sheets: Path
    """Folder for contact sheets of the measured pictures."""

    def draw_scenes(self, things: Literal[1, 2] | None, *, seed: int) -> list[Scene]:
        """Held-out scenes, one for each sample."""
        return list(itertools.islice(draw_scenes(seed=seed, split="held_out", things=things), self.samples))

    def keep(self, name: str, pictures: Tensor) -> None:
        """Save the first pictures as a contact sheet."""
        save_contact_sheet(pictures[:48], self.sheets / f"{name}.png", columns=12)


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    bar: float
    """The required minimum."""
    unit: str = "%"
    at_most: bool = False
    """Whether `bar` is a maximum instead."""

    @property
    def reached(self) -> bool:
        """Whether the bar is met."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar


def share_agreeing(found: Sequence[Reading], right: Sequence[Reading], questions: Sequence[str]) -> float:
    """Percentage of pictures whose answers to all these questions are right."""
    agreeing = [
        all(getattr(one, question) == getattr(other, question) for question in questions)
        for one, other in zip(found, right, strict=True)
    ]
    return 100 * sum(agreeing) / len(agreeing)
