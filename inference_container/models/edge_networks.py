"""Networks that find edges and lines, by their files: HED, the line drawers, and PiDiNet.

Written from the layers' published names, sizes and formulas (the ControlNet extension 1.1.455, and for PiDiNet its
paper), because no library that is maintained has them. `tests/models/published/annotators.npz` holds the extension's
answers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu, max_pool2d, relu

EDGE_WIDTH = 64
"""Channels of the published networks' first layers; PiDiNet has PIXEL_WIDTH."""
PIXEL_WIDTH = 60


class _Level(nn.Module):
    """Some convolutions and what they say of edges."""

    def __init__(self, inputs: int, width: int, layers: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(width if number else inputs, width, 3, padding=1) for number in range(layers)
        )
        self.projection = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.convs:
            x = relu(layer(x))
        return x, self.projection(x)


class HED(nn.Module):
    """Edges at five sizes, each half the one before, of pictures (n, 3, h, w), RGB in 0..255; not yet 0..1."""

    def __init__(self, width: int = EDGE_WIDTH) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        widths = [3, width, 2 * width, 4 * width, 8 * width, 8 * width]
        for number, ((inputs, outputs), layers) in enumerate(zip(pairwise(widths), (2, 2, 3, 3, 3), strict=True), 1):
            setattr(self, f"block{number}", _Level(inputs, outputs, layers))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = x - self.norm
        edges = []
        for number in range(1, 6):
            x, edge = self.get_submodule(f"block{number}")(x if number == 1 else max_pool2d(x, 2, 2))
            edges.append(edge)
        return edges


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.InstanceNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.conv_block(x))


class LineDrawer(nn.Module):
    """Dark lines on white, 0..1 (n, 1, h, w), of pictures (n, 3, h, w), RGB in 0..1; sides are multiples of 4."""

    def __init__(self, width: int = EDGE_WIDTH, *, depth: int = 3) -> None:
        super().__init__()
        self.model0 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU())
        self.model1 = nn.Sequential(
            *(
                layer
                for one in (2 * width, 4 * width)
                for layer in (nn.Conv2d(one // 2, one, 3, 2, 1), nn.InstanceNorm2d(one), nn.ReLU())
            )
        )
        self.model2 = nn.Sequential(*(_Residual(4 * width) for _ in range(depth)))
        self.model3 = nn.Sequential(
            *(
                layer
                for one in (2 * width, width)
                for layer in (nn.ConvTranspose2d(2 * one, one, 3, 2, 1, 1), nn.InstanceNorm2d(one), nn.ReLU())
            )
        )
        self.model4 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.model4(self.model3(self.model2(self.model1(self.model0(x))))))


class _Halved(nn.Module):
    """One level of a U-Net: a picture of half the size goes through what is inside, and back."""

    def __init__(self, outputs: int, width: int, inside: nn.Module | None) -> None:
        super().__init__()
        below = width if inside is None else 2 * width
        norms = () if inside is None else (nn.InstanceNorm2d(width), inside)
        self.model = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv2d(outputs, width, 4, 2, 1),
            *norms,
            nn.ReLU(),
            nn.ConvTranspose2d(below, outputs, 4, 2, 1),
            nn.InstanceNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        # Both see the activated picture, which the published network's first layer leaves behind.
        x = leaky_relu(x, 0.2)
        return torch.cat([x, self.model[1:](x)], dim=1)


class AnimeLineDrawer(nn.Module):
    """Dark lines on white, −1..1 (n, 1, h, w), of pictures (n, 3, h, w), RGB in −1..1; sides are multiples of 256."""

    def __init__(self, width: int = EDGE_WIDTH, *, levels: int = 8) -> None:
        super().__init__()
        inside: _Halved | None = None
        widths = [min(2**level, 8) * width for level in range(levels)]
        for outputs, inner in reversed(list(pairwise(widths))):
            inside = _Halved(outputs, inner, inside)
        outermost = nn.Module()
        outermost.model = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            cast(nn.Module, inside),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, 1, 4, 2, 1),
            nn.Tanh(),
        )
        self.model = outermost

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, cast(nn.Sequential, self.model.model)(x))


CENTRAL, ANGULAR, RADIAL, PLAIN = "central", "angular", "radial", "plain"
_KINDS = (CENTRAL, ANGULAR, RADIAL, PLAIN) * 4
"""What each of PiDiNet's 16 convolutions compares."""
_BEFORE = [3, 0, 1, 6, 4, 2, 7, 8, 5]
"""The neighbour before each place of a 3×3 kernel, around its middle."""
_OUTER = [0, 2, 4, 10, 14, 20, 22, 24]
_INNER = [6, 7, 8, 11, 13, 16, 17, 18]
"""Places of a 5×5 kernel: the far ones, and the near ones that are taken from them."""


class PixelDifference(nn.Module):
    """A convolution of the differences between pixels, as one of the pixels with another kernel."""

    def __init__(self, kind: str, inputs: int, outputs: int, *, groups: int = 1) -> None:
        super().__init__()
        self.kind, self.groups = kind, groups
        self.weight = nn.Parameter(torch.zeros(outputs, inputs // groups, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        kernel = self._kernel()
        return conv2d(x, kernel, padding=kernel.shape[-1] // 2, groups=self.groups)

    def _kernel(self) -> Tensor:
        flat = self.weight.flatten(2)
        if self.kind == CENTRAL:
            middle = torch.zeros_like(flat)
            middle[:, :, 4] = flat.sum(dim=2)
            flat = flat - middle
        elif self.kind == ANGULAR:
            flat = flat - flat[:, :, _BEFORE]
        elif self.kind == RADIAL:
            wide = flat.new_zeros(*flat.shape[:2], 25)
            wide[:, :, _OUTER], wide[:, :, _INNER] = flat[:, :, 1:], -flat[:, :, 1:]
            return wide.reshape(*flat.shape[:2], 5, 5)
        return flat.reshape(self.weight.shape)


class _PixelBlock(nn.Module):
    def __init__(self, kind: str, inputs: int, outputs: int, *, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if halves else nn.Identity()
        self.conv1 = PixelDifference(kind, inputs, inputs, groups=inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(x, 2, 2) if self.halves else x
        return cast(Tensor, self.conv2(relu(self.conv1(x))) + self.shortcut(x))


class _Dilations(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 1)
        for number, reach in enumerate((5, 7, 9, 11), 1):
            layer = nn.Conv2d(outputs, outputs, 3, padding=reach, dilation=reach, bias=False)
            setattr(self, f"conv2_{number}", layer)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(relu(x))
        return cast(Tensor, sum(self.get_submodule(f"conv2_{number}")(x) for number in range(1, 5)))


class _Attention(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(inputs, 4, 1), nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv2(self.conv1(relu(x))))


class _Reduced(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv(x))


class PiDiNet(nn.Module):
    """Edges 0..1 (n, 1, h, w) of pictures (n, 3, h, w), BGR in 0..1."""

    def __init__(self, width: int = PIXEL_WIDTH, *, inner: int = 24) -> None:
        super().__init__()
        self.init_block = PixelDifference(_KINDS[0], 3, width)
        outputs: Sequence[int] = (width, 2 * width, 4 * width, 4 * width)
        inputs = width
        for level, outer in enumerate(outputs, 1):
            for number in range(1, 4 if level == 1 else 5):
                kind = _KINDS[number % 4 if level == 1 else number - 1]
                block = _PixelBlock(kind, inputs, outer, halves=level > 1 and number == 1)
                setattr(self, f"block{level}_{number}", block)
                inputs = outer
        self.dilations = nn.ModuleList(_Dilations(outer, inner) for outer in outputs)
        self.attentions = nn.ModuleList(_Attention(inner) for _ in outputs)
        self.conv_reduces = nn.ModuleList(_Reduced(inner) for _ in outputs)
        self.classifier = nn.Conv2d(len(outputs), 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        x = self.init_block(x)
        edges = []
        for level, (dilation, attention, reduced) in enumerate(
            zip(self.dilations, self.attentions, self.conv_reduces, strict=True), 1
        ):
            for number in range(1, 4 if level == 1 else 5):
                x = self.get_submodule(f"block{level}_{number}")(x)
            edge = reduced(attention(dilation(x)))
            edges.append(interpolate(edge, size, mode="bilinear", align_corners=False))
        return torch.sigmoid(self.classifier(torch.cat(edges, dim=1)))
