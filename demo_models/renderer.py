"""Renders scenes by signed distances, with soft shadow, outline and a little light; deterministic for each scene."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from demo_models.scenes import COLOURS, SHAPES, Scene, Thing

SIDE = 64
"""Native width and height in pixels."""
_REACH = 1.6
_TABLE_SIDE = 160
_OUTLINE = 0.11
"""Width of the outline as a fraction of the radius."""


Distance = Callable[[Tensor, Tensor], Tensor]


def _polygon(vertices: Sequence[tuple[float, float]]) -> Distance:
    """The signed distance to a closed polygon, negative inside."""

    def distance(x: Tensor, y: Tensor) -> Tensor:
        nearest = torch.full_like(x, math.inf)
        inside = torch.zeros_like(x, dtype=torch.bool)
        for (ax, ay), (bx, by) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
            ex, ey = bx - ax, by - ay
            along = (((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey)).clamp(0, 1)
            nearest = torch.minimum(nearest, (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2)
            if ay != by:
                inside ^= ((y < ay) != (y < by)) & (x < ax + (y - ay) * ex / ey)
        return torch.where(inside, -nearest.sqrt(), nearest.sqrt())

    return distance


def _turn(radii: Sequence[float], *, start: float = -90.0) -> list[tuple[float, float]]:
    """Vertices at equal angles around the centre, the first one at `start` degrees (−90 is up)."""
    angles = [math.radians(start + 360 * index / len(radii)) for index in range(len(radii))]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _heart_outline() -> list[tuple[float, float]]:
    turns = [2 * math.pi * index / 48 for index in range(48)]
    return [
        (
            16 * math.sin(turn) ** 3 / 16.0,
            -(13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn) - math.cos(4 * turn)) / 15.5 - 0.12,
        )
        for turn in turns
    ]


def _cross_outline() -> list[tuple[float, float]]:
    arm, reach = 0.34, 0.95
    corner = [(arm, -reach), (arm, -arm), (reach, -arm), (reach, arm), (arm, arm), (arm, reach)]
    return corner + [(-x, -y) for x, y in corner]


DISTANCES: dict[str, Distance] = {
    "circle": lambda x, y: torch.hypot(x, y) - 0.95,
    "square": _polygon([(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)]),
    "triangle": _polygon([(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)]),
    "star": _polygon([(x, y + 0.06) for x, y in _turn([1.12, 0.5] * 5)]),
    "heart": _polygon(_heart_outline()),
    "ring": lambda x, y: (torch.hypot(x, y) - 0.69).abs() - 0.3,
    "cross": _polygon(_cross_outline()),
    "diamond": _polygon([(0.0, -1.08), (0.84, 0.0), (0.0, 1.08), (-0.84, 0.0)]),
}
"""Signed distance to each shape with radius 1 around the origin, with x to the right and y down."""


class Renderer:
    """Draws scenes in batches. The shapes' distances are tabulated once."""

    def __init__(self, more: Mapping[str, Distance] | None = None) -> None:
        """Args:
        more: shapes besides SHAPES, by name.
        """
        distances = {shape: DISTANCES[shape] for shape in SHAPES} | dict(more or {})
        self._shapes = list(distances)
        axis = torch.linspace(-_REACH, _REACH, _TABLE_SIDE)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self._tables = torch.stack([distance(x, y) for distance in distances.values()])[:, None]

    def render(self, scenes: Sequence[Scene], *, side: int = SIDE) -> Tensor:
        """Pictures of the scenes.

        Returns:
            uint8, shape (scenes, 3, side, side), RGB.
        """
        axis = (torch.arange(side) + 0.5) / side
        shade = (1.06 - 0.16 * axis)[None, None, :, None]
        canvas = (_colours([(scene.background, scene.background_tint) for scene in scenes]) * shade).expand(
            -1, -1, side, side
        )
        canvas = canvas.clone()
        for turn in range(max((len(scene.things) for scene in scenes), default=0)):
            rows = [row for row, scene in enumerate(scenes) if len(scene.things) > turn]
            canvas[rows] = self._paint(canvas[rows], [scenes[row].things[turn] for row in rows])
        return canvas.clamp(0, 255).round().to(torch.uint8)

    def _paint(self, canvas: Tensor, things: Sequence[Thing]) -> Tensor:
        side = canvas.shape[-1]
        axis = (torch.arange(side) + 0.5) / side
        centre = torch.tensor([[thing.x, thing.y] for thing in things])
        radius = torch.tensor([thing.radius for thing in things])[:, None, None]
        x = (axis[None, None, :] - centre[:, 0, None, None]) / radius
        y = (axis[None, :, None] - centre[:, 1, None, None]) / radius
        x, y = x.expand(-1, side, side), y.expand(-1, side, side)
        tables = self._tables[[self._shapes.index(thing.shape) for thing in things]]
        pixel = 1 / (radius * side)

        shadow = torch.sigmoid(-(_look_up(tables, x - 0.10, y - 0.16)) / 0.09) * 0.3
        canvas = canvas * (1 - shadow[:, None])

        distance = _look_up(tables, x, y)
        fill = _colours([(thing.colour, thing.tint) for thing in things])
        light = (1.02 - 0.10 * (x + y) / 2)[:, None]
        dark = fill.mean(1, keepdim=True) < 60
        edge = torch.where(dark, fill + 70, fill * 0.68)
        cover = (0.5 - distance / pixel).clamp(0, 1)[:, None]
        inner = (0.5 - (distance + _OUTLINE) / pixel).clamp(0, 1)[:, None]
        body = edge * (1 - inner) + fill * light * inner
        return canvas * (1 - cover) + body * cover


def _colours(named: Sequence[tuple[str, tuple[float, float, float]]]) -> Tensor:
    rows = [[value + shift for value, shift in zip(COLOURS[name], tint, strict=True)] for name, tint in named]
    return torch.tensor(rows, dtype=torch.float32)[:, :, None, None]


def _look_up(tables: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Distance at object coordinates; beyond the table the distance to its border is added."""
    grid = torch.stack([x, y], dim=-1) / _REACH
    inside = functional.grid_sample(tables, grid, padding_mode="border", align_corners=True)[:, 0]
    return inside + torch.hypot((x.abs() - _REACH).clamp(min=0), (y.abs() - _REACH).clamp(min=0))
