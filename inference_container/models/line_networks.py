"""M-LSD, which finds straight lines, by its file: the large network of 512 pixels on MobileNet 2.

Written from the layers' published names, sizes and order (the ControlNet extension 1.1.455, Apache 2.0).
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

LINE_WIDTH = 32
"""Channels of the published network's first layer."""
_STAGES = ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1))
"""MobileNet's stages: how much wider it is inside, layers, and by how much the first one shrinks the picture."""
_SIZES = (4, 6, 8, 16, 24)
"""Channels of the stages, in eighths of the first layer's."""
_MAPS, _FIRST_MAP = 16, 7
"""Maps that the network ends with, and the first one that is used."""


def _normed(inputs: int, outputs: int, kernel: int, *, reach: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 * reach, dilation=reach),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class _Shrinking(nn.Sequential):
    """A convolution that pads the picture only at its right and lower edges if it shrinks it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, 0 if stride == 2 else kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, (0, 1, 0, 1)) if self.stride == 2 else x
        for layer in self:
            x = layer(x)
        return x


class _Inverted(nn.Module):
    """A layer of MobileNet 2: wider inside than outside."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, wider: int) -> None:
        super().__init__()
        inner = inputs * wider
        self.keeps = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *([_Shrinking(inputs, inner, 1)] if wider > 1 else []),
            _Shrinking(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = cast(Tensor, self.conv(x))
        return x + seen if self.keeps else seen


class _MobileNet(nn.Module):
    """Answers with the last layer of each stage."""

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Shrinking(4, width, 3, stride=2)]
        inputs, self.ends = width, []
        for (wider, count, shrinks), outputs in zip(_STAGES, sizes, strict=True):
            for number in range(count):
                layers.append(_Inverted(inputs, outputs, stride=1 if number else shrinks, wider=wider))
                inputs = outputs
            self.ends.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        seen = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.ends:
                seen.append(x)
        return seen


class _Joined(nn.Module):
    """A finer level next to the coarser one, which is made as large."""

    def __init__(self, fine: int, coarse: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _normed(coarse, outputs, 1), _normed(fine, outputs, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        below = self.conv1(coarse)
        if below.shape[-2:] != fine.shape[-2:]:
            below = interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=True)
        return torch.cat([self.conv2(fine), below], dim=1)


class _Refined(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _normed(inputs, inputs, 3), _normed(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv2(self.conv1(x) + x))


class _Ending(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _normed(inputs, inputs, 3, reach=5), _normed(inputs, inputs, 3)
        self.conv3 = nn.Conv2d(inputs, _MAPS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv3(self.conv2(self.conv1(x))))


class MLSD(nn.Module):
    """Where lines have their middle, and from there their ends, in pictures (n, 4, h, w), RGB and 1 in −1..1.

    Answers with maps half as large: the first says how likely a middle is, four how far the ends are across and down.
    """

    def __init__(self, width: int = LINE_WIDTH) -> None:
        super().__init__()
        sizes = [width * size // 8 for size in _SIZES]
        inner = 2 * width
        self.backbone = _MobileNet(width, sizes)
        coarse = sizes[-1]
        for number, fine in zip((15, 17, 19, 21), reversed(sizes[:-1]), strict=True):
            setattr(self, f"block{number}", _Joined(fine, coarse, inner))
            setattr(self, f"block{number + 1}", _Refined(2 * inner, inner))
            coarse = inner
        self.block23 = _Ending(inner)

    def forward(self, x: Tensor) -> Tensor:
        *finer, seen = self.backbone(x)
        for number, fine in zip((15, 17, 19, 21), reversed(finer), strict=True):
            seen = self.get_submodule(f"block{number}")(fine, seen)
            seen = self.get_submodule(f"block{number + 1}")(seen)
        return cast(Tensor, self.block23(seen))[:, _FIRST_MAP:]
