"""Scenes of the demo family: one or two coloured shapes on a coloured background, drawn at random from a seed."""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
Split = Literal["train", "held_out"]

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond")
COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (245, 130, 30),
    "yellow": (250, 215, 50),
    "green": (46, 158, 70),
    "cyan": (70, 200, 210),
    "blue": (45, 85, 205),
    "purple": (128, 58, 170),
    "pink": (246, 145, 190),
    "white": (244, 244, 244),
    "black": (32, 32, 38),
}
SIZES: dict[str, float] = {"small": 0.20, "medium": 0.25, "large": 0.31}
"""Radius as a fraction of the picture's side. "small" is the smallest at which the autoencoder keeps every shape."""
PLACES: dict[str, tuple[int, int]] = {
    "center": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
}
"""Direction from the centre, with x to the right and y down."""
ARRANGEMENTS: dict[str, tuple[int, int]] = {"beside": (1, 0), "stacked": (0, 1)}
"""Direction from the first thing of a pair to the second: the first is always the left or the upper one."""
PAIR_RADIUS = 0.205
MARGIN = 0.035
HELD_OUT_SHARE = 10
"""One in this many combinations is never trained on."""


@dataclass(frozen=True)
class Thing:
    shape: str
    colour: str
    x: float
    """Centre, 0…1 from the left."""
    y: float
    """Centre, 0…1 from the top."""
    radius: float
    """Fraction of the picture's side."""
    tint: tuple[float, float, float]
    """Added to the colour's red, green and blue, −6…6."""


@dataclass(frozen=True)
class Scene:
    background: str
    background_tint: tuple[float, float, float]
    things: tuple[Thing, ...]
    """One, or two in reading order: left before right, upper before lower."""
    size: str | None
    """A name of SIZES; None when there are two things."""
    place: str | None
    """A name of PLACES; None when there are two things."""
    arrangement: str | None
    """A name of ARRANGEMENTS; None when there is one thing."""


def _tint(lot: random.Random) -> tuple[float, float, float]:
    return (lot.uniform(-6, 6), lot.uniform(-6, 6), lot.uniform(-6, 6))


def draw_single(lot: random.Random) -> Scene:
    """A scene of one thing."""
    background, colour = lot.sample(list(COLOURS), 2)
    size, place = lot.choice(list(SIZES)), lot.choice(list(PLACES))
    radius = SIZES[size] * lot.uniform(0.95, 1.05)
    reach = 0.5 - radius - MARGIN
    direction = PLACES[place]
    thing = Thing(
        lot.choice(SHAPES),
        colour,
        0.5 + direction[0] * reach + lot.uniform(-0.02, 0.02),
        0.5 + direction[1] * reach + lot.uniform(-0.02, 0.02),
        radius,
        _tint(lot),
    )
    return Scene(background, _tint(lot), (thing,), size, place, None)


def draw_pair(lot: random.Random) -> Scene:
    """A scene of two things next to or above each other, in different colours; their shapes may be equal."""
    background, first, second = lot.sample(list(COLOURS), 3)
    arrangement = lot.choice(list(ARRANGEMENTS))
    along_x, along_y = ARRANGEMENTS[arrangement]
    things = []
    for colour, side in ((first, -1), (second, 1)):
        along = 0.5 + side * 0.245 + lot.uniform(-0.015, 0.015)
        across = 0.5 + lot.uniform(-0.06, 0.06)
        things.append(
            Thing(
                lot.choice(SHAPES),
                colour,
                along if along_x else across,
                along if along_y else across,
                PAIR_RADIUS * lot.uniform(0.95, 1.05),
                _tint(lot),
            )
        )
    return Scene(background, _tint(lot), tuple(things), None, None, arrangement)


def is_held_out(scene: Scene) -> bool:
    """Whether these shapes, colours and background are excluded from training, whatever their sizes and places."""
    combination = " ".join([scene.background, *(f"{thing.colour} {thing.shape}" for thing in scene.things)])
    return zlib.crc32(combination.encode()) % HELD_OUT_SHARE == 0


def draw_scenes(*, seed: int, split: Split, things: Literal[1, 2] | None = None) -> Iterator[Scene]:
    """An endless sequence of scenes of one split, equal for equal seeds.

    Args:
        things: how many things each shows; None draws two in 40 % of the scenes.
    """
    lot = random.Random(f"{split}:{seed}")
    while True:
        pair = things == 2 if things else lot.random() < 0.4
        scene = draw_pair(lot) if pair else draw_single(lot)
        if is_held_out(scene) == (split == "held_out"):
            yield scene


def list_tags(scene: Scene) -> tuple[str, ...]:
    """The tags that a tagger should find, in a fixed order: shapes, colours, background, count, size, place."""
    tags = [thing.shape for thing in scene.things] + [thing.colour for thing in scene.things]
    tags.append(f"{scene.background} background")
    if scene.arrangement:
        tags += ["two things", scene.arrangement]
    else:
        tags += ["one thing", str(scene.size), str(scene.place)]
    return tuple(dict.fromkeys(tags))


ALL_TAGS: tuple[str, ...] = (
    *SHAPES,
    *COLOURS,
    *(f"{colour} background" for colour in COLOURS),
    "one thing",
    "two things",
    *SIZES,
    *PLACES,
    *ARRANGEMENTS,
)
