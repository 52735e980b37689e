"""Ways a picture can look that the base was never taught: a sketch, a night, through amber glass."""

import torch
from torch import Tensor
from torch.nn import functional

PAPER = 238.0
NIGHT_SHARE, NIGHT = 0.35, (12.0, 18.0, 62.0)
AMBER_SHARE, AMBER = 0.3, (255.0, 190.0, 90.0)
EDGE = 24.0
"""A slope that counts as an edge."""
_SLOPES = torch.tensor([[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]])[:, None] / 8


def _to_bytes(values: Tensor) -> Tensor:
    return values.clamp(0, 255).round().to(torch.uint8)


def find_slopes(pictures: Tensor) -> Tensor:
    """How steeply the colours change, 0…255 of the steepest channel. Shape (count, 1, side, side)."""
    count, channels, *side = pictures.shape
    flat = functional.pad(pictures.float().reshape(-1, 1, *side), (1, 1, 1, 1), mode="replicate")
    steep = functional.conv2d(flat, _SLOPES).square().sum(1).sqrt()
    return steep.reshape(count, channels, *side).amax(1, keepdim=True)


def sketch(pictures: Tensor) -> Tensor:
    """Pencil on paper: edges dark, fillings a light grey of their brightness; no colour at all."""
    grey = pictures.float().mean(1, keepdim=True)
    drawn = PAPER - 0.25 * (255 - grey) - 2.2 * find_slopes(pictures)
    return _to_bytes(drawn.clamp(min=30)).expand(-1, 3, -1, -1).contiguous()


def find_edges(pictures: Tensor) -> Tensor:
    """White lines on black where the colours change, as a ControlNet for edges is shown; 0 or 255, three channels."""
    lines = (find_slopes(pictures) > EDGE).to(torch.uint8) * 255
    return lines.expand(-1, 3, -1, -1).contiguous()


def darken(pictures: Tensor) -> Tensor:
    """The same scene by night: a third of its light and a blue cast."""
    return _to_bytes(pictures.float() * NIGHT_SHARE + torch.tensor(NIGHT)[:, None, None])


def tint(pictures: Tensor) -> Tensor:
    """The same picture seen through amber glass."""
    amber = torch.tensor(AMBER)[:, None, None]
    return _to_bytes(pictures.float() * (1 - AMBER_SHARE) + amber * AMBER_SHARE)
