"""The network that sees how surfaces are turned (Bae et al. 2021): an EfficientNet-B5 with a decoder, by its names.

Written from the layers' published names, sizes and formulas (the ControlNet extension 1.1.455): its library, geffnet,
is part of timm now, which demands torchvision. `tests/models/published/annotators.npz` holds the extension's answers.
"""

import re
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, elu, interpolate, pad, silu

from inference_container.models.file_networks import count_layers

STEM_WIDTH = 48
NORMALS_FIRST = "encoder.original_model.conv_stem.weight"
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage."""
LEAST_SURE = 0.01
_STEPS = 1e-3
"""What EfficientNet's batch norms add, after TensorFlow."""
Shapes = Mapping[str, tuple[int, ...]]


class _Same(nn.Conv2d):
    """A convolution padded as TensorFlow pads: what is odd goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        for length, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            more = max((-(length // -stride) - 1) * stride + kernel - length, 0)
            sides += [more // 2, more - more // 2]
        return conv2d(pad(x, sides), self.weight, self.bias, self.stride, groups=self.groups)


def _convolution(shapes: Shapes, name: str, *, stride: int = 1) -> _Same:
    """Of the shape that the file says; `conv_dw` sees every channel by itself, the others see all."""
    outputs, inputs, kernel, _ = shapes[f"{name}.weight"]
    groups = outputs if name.endswith("conv_dw") else 1
    bias = f"{name}.bias" in shapes
    return _Same(inputs * groups, outputs, kernel, stride=stride, groups=groups, bias=bias)


def _norm(shapes: Shapes, name: str) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(shapes[f"{name}.weight"][0], eps=_STEPS)


class _Gate(nn.Module):
    """How much of each channel goes on."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.conv_reduce = _convolution(shapes, f"{name}.conv_reduce")
        self.conv_expand = _convolution(shapes, f"{name}.conv_expand")

    def forward(self, x: Tensor) -> Tensor:
        seen = self.conv_expand(silu(self.conv_reduce(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(seen)


class _Block(nn.Module):
    """Channels made more, seen one by one and made fewer; the first stage's blocks do not make them more."""

    def __init__(self, shapes: Shapes, name: str, *, stride: int) -> None:
        super().__init__()
        grows = f"{name}.conv_pwl.weight" in shapes
        self.layers = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3") if grows else (
            "conv_dw", "bn1", "conv_pw", "bn2"
        )  # fmt: skip
        for layer in self.layers:
            of = f"{name}.{layer}"
            step = stride if layer == "conv_dw" else 1
            made = _norm(shapes, of) if layer.startswith("bn") else _convolution(shapes, of, stride=step)
            self.add_module(layer, made)
        self.se = _Gate(shapes, f"{name}.se")
        first, last = shapes[f"{name}.{self.layers[0]}.weight"], shapes[f"{name}.{self.layers[-2]}.weight"]
        self.adds = stride == 1 and (first[1] if grows else first[0]) == last[0]

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x
        for layer in self.layers[:-2]:
            made = self.get_submodule(layer)(made)
            made = silu(made) if layer.startswith("bn") else made
        made = self.se(made)
        for layer in self.layers[-2:]:
            made = self.get_submodule(layer)(made)
        return made + x if self.adds else made


class _EfficientNet(nn.Module):
    """A picture at six sizes: each stage, and what the last convolution sees, before its norm."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.conv_stem = _convolution(shapes, f"{name}.conv_stem", stride=2)
        self.bn1 = _norm(shapes, f"{name}.bn1")
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(
                    _Block(shapes, f"{name}.blocks.{stage}.{number}", stride=1 if number else stride)
                    for number in range(count_layers(shapes, rf"{re.escape(name)}\.blocks\.{stage}\.(\d+)\."))
                )
            )
            for stage, stride in enumerate(STRIDES)
        )
        self.conv_head = _convolution(shapes, f"{name}.conv_head")
        self.bn2 = _norm(shapes, f"{name}.bn2")

    def forward(self, x: Tensor) -> list[Tensor]:
        x = silu(self.bn1(self.conv_stem(x)))
        seen = []
        for stage in self.blocks:
            x = stage(x)
            seen.append(x)
        return [*seen, self.conv_head(x)]


class _Up(nn.Module):
    """What is grown, and what the encoder saw at that size."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in (0, 3):
            outputs, inputs, kernel, _ = shapes[f"{name}._net.{number}.weight"]
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU()]
        self._net = nn.Sequential(*layers)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        grown = interpolate(x, seen.shape[2:], mode="bilinear", align_corners=True)
        return cast(Tensor, self._net(torch.cat([grown, seen], dim=1)))


def _pixelwise(shapes: Shapes, name: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in (0, 2, 4, 6):
        outputs, inputs, _ = shapes[f"{name}.{number}.weight"]
        layers += [nn.Conv1d(inputs, outputs, 1), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _finer(network: nn.Module, seen: Tensor, said: Tensor) -> Tensor:
    """What each pixel says of its surface, from what it sees and what coarser pixels say."""
    grown = [interpolate(one, scale_factor=2, mode="bilinear", align_corners=True) for one in (seen, said)]
    together = torch.cat(grown, dim=1)
    return _directions(network(together.flatten(2)).unflatten(2, together.shape[2:]))


class SurfaceNormals(nn.Module):
    """Where surfaces face, -1..1 (n, 3, h, w), in pictures (n, 3, h, w), normalized RGB; sides are multiples of 32."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"original_model": _EfficientNet(shapes, "encoder.original_model")})
        self.decoder = _Decoder(shapes, "decoder")

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.decoder(self.encoder["original_model"](x)))[:, :3]


class _Decoder(nn.Module):
    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        outputs, inputs, _, _ = shapes[f"{name}.conv2.weight"]
        self.conv2 = nn.Conv2d(inputs, outputs, 1)
        for number in range(1, 5):
            self.add_module(f"up{number}", _Up(shapes, f"{name}.up{number}"))
        outputs, inputs, _, _ = shapes[f"{name}.out_conv_res8.weight"]
        self.out_conv_res8 = nn.Conv2d(inputs, outputs, 3, padding=1)
        for size in (4, 2, 1):
            self.add_module(f"out_conv_res{size}", _pixelwise(shapes, f"{name}.out_conv_res{size}"))

    def forward(self, seen: list[Tensor]) -> Tensor:
        grown = self.conv2(seen[-1])
        levels = []
        for number, stage in enumerate((4, 2, 1, 0), 1):
            grown = self.get_submodule(f"up{number}")(grown, seen[stage])
            levels.append(grown)
        said = _directions(self.out_conv_res8(levels[1]))
        for size, level in zip((4, 2, 1), levels[1:], strict=True):
            said = _finer(self.get_submodule(f"out_conv_res{size}"), level, said)
        return said


def _directions(answer: Tensor) -> Tensor:
    """Directions of length 1, and how sure they are."""
    direction, sure = answer[:, :3], answer[:, 3:]
    length = torch.sqrt((direction**2.0).sum(1, keepdim=True)) + 1e-10
    return torch.cat([direction / length, elu(sure) + 1.0 + LEAST_SURE], dim=1)


def surface_normals(_: int, state: Mapping[str, Tensor]) -> SurfaceNormals:
    """As wide and deep as the file."""
    return SurfaceNormals({name: tuple(tensor.shape) for name, tensor in state.items()})
