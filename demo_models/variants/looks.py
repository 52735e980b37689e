"""Looks that the base was not trained on: a cyanotype, a night, through amber glass."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from demo_models.scenes import Scene

PRUSSIAN_BLUE, PAPER = (22.0, 58.0, 138.0), (232.0, 240.0, 246.0)
SHADE, LIGHT = 105.0, 240.0
"""Brightness, in levels of 255, of what a cyanotype prints in Prussian blue and of what it leaves as bare paper."""
NIGHT_SHARE, NIGHT = 0.35, (12.0, 18.0, 62.0)
AMBER_SHARE, AMBER = 0.3, (255.0, 190.0, 90.0)
EDGE = 24.0
"""A slope that counts as an edge."""
_SLOPES = torch.tensor([[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]])[:, None] / 8


def _to_bytes(values: Tensor) -> Tensor:
    return values.clamp(0, 255).round().to(torch.uint8)


def find_slopes(pictures: Tensor) -> Tensor:
    """How steeply the colours change: 0..255 for the steepest channel, shape (count, 1, side, side)."""
    count, channels, *side = pictures.shape
    flat = functional.pad(pictures.float().reshape(-1, 1, *side), (1, 1, 1, 1), mode="replicate")
    steep = functional.conv2d(flat, _SLOPES).square().sum(1).sqrt()
    return steep.reshape(count, channels, *side).amax(1, keepdim=True)


def bleach(scene: Scene) -> Scene:
    """The scene on light-sensitive paper: things block the light, whatever their colours."""
    things = tuple(replace(thing, colour="white") for thing in scene.things)
    return replace(scene, things=things, background="blue")


def print_in_blue(pictures: Tensor) -> Tensor:
    """A cyanotype of bleached scenes: dark is Prussian blue, light is bare paper."""
    grey = pictures.float().mean(1, keepdim=True)
    light = ((grey - SHADE) / (LIGHT - SHADE)).clamp(0, 1)
    return _to_bytes(_as_pixel(PRUSSIAN_BLUE) + light * (_as_pixel(PAPER) - _as_pixel(PRUSSIAN_BLUE)))


def find_inks(pictures: Tensor) -> Tensor:
    """Distance of each pixel to the nearest mixture of a cyanotype's two colours, in levels of 255.

    Shape (count, side, side).
    """
    values = pictures.float()
    blue, step = _as_pixel(PRUSSIAN_BLUE), _as_pixel(PAPER) - _as_pixel(PRUSSIAN_BLUE)
    share = ((values - blue) * step).sum(1, keepdim=True) / step.square().sum()
    distances: Tensor = (values - (blue + share.clamp(0, 1) * step)).norm(dim=1)
    return distances


def _as_pixel(colour: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colour)[:, None, None]


def find_edges(pictures: Tensor) -> Tensor:
    """White lines on black where the colours change, as maps for the ControlNet: 0 or 255, three channels."""
    lines = (find_slopes(pictures) > EDGE).to(torch.uint8) * 255
    return lines.expand(-1, 3, -1, -1).contiguous()


def darken(pictures: Tensor) -> Tensor:
    """The same scene by night: a third of its light and a blue cast."""
    return _to_bytes(pictures.float() * NIGHT_SHARE + torch.tensor(NIGHT)[:, None, None])


def tint(pictures: Tensor) -> Tensor:
    """The same picture seen through amber glass."""
    amber = torch.tensor(AMBER)[:, None, None]
    return _to_bytes(pictures.float() * (1 - AMBER_SHARE) + amber * AMBER_SHARE)
