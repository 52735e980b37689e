"""What every measurement works with and gives back."""

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
"""The questions "is it what was asked for" means; size and place are measured apart."""


@dataclass(frozen=True)
class Bench:
    """What every measurement works with."""

    checkpoint: Checkpoint
    judge: Judge
    renderer: Renderer
    samples: int
    sheets: Path
    """Folder for contact sheets of what was measured."""

    def draw_scenes(self, things: Literal[1, 2] | None, *, seed: int) -> list[Scene]:
        """Held-out scenes, as many as there are samples."""
        return list(itertools.islice(draw_scenes(seed=seed, split="held_out", things=things), self.samples))

    def keep(self, name: str, pictures: Tensor) -> None:
        """Save the first pictures for a person to look at."""
        save_contact_sheet(pictures[:48], self.sheets / f"{name}.png", columns=12)


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    bar: float
    """The least that is asked for."""
    unit: str = "%"
    at_most: bool = False
    """`bar` is the most that is asked for."""

    @property
    def reached(self) -> bool:
        """Whether the bar is met."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar


def share_agreeing(found: Sequence[Reading], right: Sequence[Reading], questions: Sequence[str]) -> float:
    """Percentage of pictures whose answers to these questions are all right."""
    agreeing = [
        all(getattr(one, question) == getattr(other, question) for question in questions)
        for one, other in zip(found, right, strict=True)
    ]
    return 100 * sum(agreeing) / len(agreeing)
