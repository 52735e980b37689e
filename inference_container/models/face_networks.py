"""The two networks that WebUI finds and outlines faces with, by their files: RetinaFace on ResNet-50 and ParseNet.

Written from the layers' published names, sizes and formulas (facexlib 0.3.0), because that library needs torchvision,
numba and filterpy, of which these networks use nothing. `tests/models/published/faces.npz` holds what it answers.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

RESNET_BLOCKS = (3, 4, 6, 3)
DEFAULT_WIDTH = 64
"""Width of the first layer of ResNet-50, and of ParseNet."""
EXPANSION = 4
ANCHORS = 2
"""Boxes that each cell of a level may have."""
PARTS = 19
"""Parts of a face that ParseNet tells apart."""


class Bottleneck(nn.Module):
    """A block of ResNet-50, whose stride is in its middle convolution."""

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = relu(self.bn1(self.conv1(x)))
        inner = relu(self.bn2(self.conv2(inner)))
        return relu(self.bn3(self.conv3(inner)) + self.downsample(x))


class ResNet50(nn.Module):
    """The last three levels of ResNet-50."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for level, blocks in enumerate(RESNET_BLOCKS):
            inner = width << level
            strides = (1 if level == 0 else 2, *(1,) * (blocks - 1))
            layer = []
            for stride in strides:
                layer.append(Bottleneck(inputs, inner, stride=stride))
                inputs = EXPANSION * inner
            setattr(self, f"layer{level + 1}", nn.Sequential(*layer))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        levels = []
        for level in range(len(RESNET_BLOCKS)):
            x = self.get_submodule(f"layer{level + 1}")(x)
            levels.append(x)
        return levels[1:]


def _normed(inputs: int, outputs: int, kernel: int, *, slope: float | None) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if slope is None else [nn.LeakyReLU(slope)]))


class FeaturePyramid(nn.Module):
    """Adds each coarser level to the finer one."""

    def __init__(self, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        slope = _slope(outputs)
        self.output1, self.output2, self.output3 = (_normed(one, outputs, 1, slope=slope) for one in inputs)
        self.merge1, self.merge2 = (_normed(outputs, outputs, 3, slope=slope) for _ in range(2))

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(levels[0]), self.output2(levels[1]), self.output3(levels[2])
        middle = self.merge2(middle + interpolate(coarse, size=middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + interpolate(middle, size=fine.shape[-2:], mode="nearest"))
        return [fine, middle, coarse]


class ContextModule(nn.Module):
    """Three branches that look ever farther (SSH)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        slope, half, quarter = _slope(width), width // 2, width // 4
        self.conv3X3 = _normed(width, half, 3, slope=None)
        self.conv5X5_1 = _normed(width, quarter, 3, slope=slope)
        self.conv5X5_2 = _normed(quarter, quarter, 3, slope=None)
        self.conv7X7_2 = _normed(quarter, quarter, 3, slope=slope)
        self.conv7x7_3 = _normed(quarter, quarter, 3, slope=None)

    def forward(self, x: Tensor) -> Tensor:
        middle = self.conv5X5_1(x)
        far = self.conv7x7_3(self.conv7X7_2(middle))
        return relu(torch.cat([self.conv3X3(x), self.conv5X5_2(middle), far], dim=1))


def _slope(width: int) -> float:
    return 0.1 if width <= 64 else 0.0


class Head(nn.Module):
    """A convolution of one pixel whose channels are `values` numbers for each anchor of a cell."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(width, ANCHORS * values, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv1x1(x)).permute(0, 2, 3, 1).reshape(len(x), -1, self.values)


class RetinaFace(nn.Module):
    """Finds faces in pictures (n, 3, h, w), BGR in 0..255 less the means 104, 117 and 123."""

    def __init__(self, width: int = DEFAULT_WIDTH) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = ResNet50(width)
        self.fpn = FeaturePyramid([8 * width, 16 * width, 32 * width], outputs)
        self.ssh1, self.ssh2, self.ssh3 = (ContextModule(outputs) for _ in range(3))
        self.ClassHead, self.BboxHead, self.LandmarkHead = (
            nn.ModuleList(Head(outputs, values) for _ in range(3)) for values in (2, 4, 10)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offsets of boxes (n, anchors, 4), probabilities (n, anchors), and offsets of points (n, anchors, 10)."""
        levels = self.fpn(self.body(x))
        seen = [module(level) for module, level in zip((self.ssh1, self.ssh2, self.ssh3), levels, strict=True)]
        scores, boxes, points = (
            torch.cat([head(level) for head, level in zip(heads, seen, strict=True)], dim=1)
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        return boxes, scores.softmax(dim=-1)[..., 1], points


class _Padded(nn.Module):
    """A convolution behind reflected edges; doubled in size before it, or halved by it."""

    def __init__(self, inputs: int, outputs: int, *, scale: str = "", normed: bool = False, acts: bool = False) -> None:
        super().__init__()
        self.doubles = scale == "up"
        self.conv2d = nn.Conv2d(inputs, outputs, 3, 2 if scale == "down" else 1, bias=not normed)
        self.norm = nn.ModuleDict({"norm": nn.BatchNorm2d(outputs)} if normed else {})
        self.slope = 0.2 if acts else None

    def forward(self, x: Tensor) -> Tensor:
        if self.doubles:
            x = interpolate(x, scale_factor=2, mode="nearest")
        x = self.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        for norm in self.norm.values():
            x = norm(x)
        return x if self.slope is None else nn.functional.leaky_relu(x, self.slope)


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, scale: str = "") -> None:
        super().__init__()
        same = not scale and inputs == outputs
        self.shortcut_func = nn.Identity() if same else _Padded(inputs, outputs, scale=scale)
        first, second = {"down": ("", "down"), "up": ("up", "")}.get(scale, ("", ""))
        self.conv1 = _Padded(inputs, outputs, scale=first, normed=True, acts=True)
        self.conv2 = _Padded(outputs, outputs, scale=second, normed=True)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.shortcut_func(x) + self.conv2(self.conv1(x)))


class ParseNet(nn.Module):
    """Tells the parts of a face apart in pictures (n, 3, 512, 512), RGB in [−1, 1]: (n, 19, 512, 512)."""

    def __init__(self, width: int = DEFAULT_WIDTH, *, depth: int = 10) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
        downs = [_Residual(one, two, scale="down") for one, two in pairwise(widths)]
        widths = [*[4 * width] * 3, 2 * width, width]
        ups = [_Residual(one, two, scale="up") for one, two in pairwise(widths)]
        self.encoder = nn.Sequential(_Padded(3, width), *downs)
        self.body = nn.Sequential(*(_Residual(4 * width, 4 * width) for _ in range(depth)))
        self.decoder = nn.Sequential(*ups)
        self.out_mask_conv = _Padded(width, PARTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        return cast(Tensor, self.out_mask_conv(self.decoder(x + self.body(x))))
