"""UniFormer with UPerNet, which finds what is where in a picture (Li et al. 2022), by its file's names.

Written from the layers' published names, sizes and formulas (the ControlNet extension 1.1.455): its library, mmseg, has
not been released since 2023. `tests/models/published/annotators.npz` holds the extension's answers.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu, interpolate, relu, scaled_dot_product_attention

from inference_container.models.file_networks import count_layers

SEGMENTER_FIRST, SEGMENTER_WIDTH = "backbone.patch_embed1.proj.weight", 64
HEAD_WIDTH = 64
"""Channels of each head of attention."""
POOLS = (1, 2, 3, 6)
MOST_BLOCKS = 40
Shapes = Mapping[str, tuple[int, ...]]
State = Mapping[str, Tensor]


def _convolution(shapes: Shapes, name: str, *, stride: int = 1) -> nn.Conv2d:
    """Of the file's shape; one with a single input sees every channel by itself."""
    outputs, inputs, kernel, _ = shapes[f"{name}.weight"]
    groups = outputs if inputs == 1 else 1
    padding = 0 if stride > 1 else kernel // 2
    bias = f"{name}.bias" in shapes
    return nn.Conv2d(inputs * groups, outputs, kernel, stride, padding, groups=groups, bias=bias)


def _linear(shapes: Shapes, name: str) -> nn.Linear:
    outputs, inputs = shapes[f"{name}.weight"]
    return nn.Linear(inputs, outputs)


def _batch_norm(shapes: Shapes, name: str) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(shapes[f"{name}.weight"][0])


def _layer_norm(shapes: Shapes, name: str, *, steps: float = 1e-6) -> nn.LayerNorm:
    return nn.LayerNorm(shapes[f"{name}.weight"], eps=steps)


def _over_channels(norm: nn.Module, x: Tensor) -> Tensor:
    return cast(Tensor, norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class _Patches(nn.Module):
    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.proj = _convolution(shapes, f"{name}.proj", stride=shapes[f"{name}.proj.weight"][2])
        self.norm = _layer_norm(shapes, f"{name}.norm", steps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        return _over_channels(self.norm, self.proj(x))


class _Perceptron(nn.Module):
    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        make = _convolution if len(shapes[f"{name}.fc1.weight"]) == 4 else _linear
        self.fc1, self.fc2 = make(shapes, f"{name}.fc1"), make(shapes, f"{name}.fc2")

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc2(gelu(self.fc1(x))))


class _NearBlock(nn.Module):
    """Each place sees those around it."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.pos_embed = _convolution(shapes, f"{name}.pos_embed")
        self.norm1, self.norm2 = _batch_norm(shapes, f"{name}.norm1"), _batch_norm(shapes, f"{name}.norm2")
        self.conv1, self.conv2 = _convolution(shapes, f"{name}.conv1"), _convolution(shapes, f"{name}.conv2")
        self.attn = _convolution(shapes, f"{name}.attn")
        self.mlp = _Perceptron(shapes, f"{name}.mlp")

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        x = x + self.conv2(self.attn(self.conv1(self.norm1(x))))
        return cast(Tensor, x + self.mlp(self.norm2(x)))


class _Attention(nn.Module):
    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.qkv, self.proj = _linear(shapes, f"{name}.qkv"), _linear(shapes, f"{name}.proj")
        width = shapes[f"{name}.proj.weight"][0]
        if width % HEAD_WIDTH:
            raise ValueError(f"attention of {width} channels; allowed: multiples of {HEAD_WIDTH}")
        self.heads = width // HEAD_WIDTH

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return cast(Tensor, self.proj(seen.transpose(1, 2).flatten(2)))


class _WideBlock(nn.Module):
    """Each place sees all."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.pos_embed = _convolution(shapes, f"{name}.pos_embed")
        self.norm1, self.norm2 = _layer_norm(shapes, f"{name}.norm1"), _layer_norm(shapes, f"{name}.norm2")
        self.attn = _Attention(shapes, f"{name}.attn")
        self.mlp = _Perceptron(shapes, f"{name}.mlp")

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        places = x.flatten(2).transpose(1, 2)
        places = places + self.attn(self.norm1(places))
        places = places + self.mlp(self.norm2(places))
        return cast(Tensor, places.transpose(1, 2).reshape(x.shape))


class _UniFormer(nn.Module):
    """A picture at four sizes."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        for stage, block in enumerate((_NearBlock, _NearBlock, _WideBlock, _WideBlock), 1):
            count = count_layers(shapes, rf"{name}\.blocks{stage}\.(\d+)\.")
            if not 0 < count <= MOST_BLOCKS:
                raise ValueError(f"{count} blocks; allowed: 1 to {MOST_BLOCKS}")
            self.add_module(f"patch_embed{stage}", _Patches(shapes, f"{name}.patch_embed{stage}"))
            blocks = (block(shapes, f"{name}.blocks{stage}.{number}") for number in range(count))
            self.add_module(f"blocks{stage}", nn.Sequential(*blocks))
            self.add_module(f"norm{stage}", _layer_norm(shapes, f"{name}.norm{stage}"))

    def forward(self, x: Tensor) -> list[Tensor]:
        seen = []
        for stage in range(1, 5):
            x = self.get_submodule(f"blocks{stage}")(self.get_submodule(f"patch_embed{stage}")(x))
            seen.append(_over_channels(self.get_submodule(f"norm{stage}"), x))
        return seen


class _Layer(nn.Module):
    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.conv, self.bn = _convolution(shapes, f"{name}.conv"), _batch_norm(shapes, f"{name}.bn")

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


class _UPerNet(nn.Module):
    """How likely each class is at each place, a quarter of the picture's size."""

    def __init__(self, shapes: Shapes, name: str) -> None:
        super().__init__()
        self.psp_modules = nn.ModuleList(
            nn.ModuleDict({"1": _Layer(shapes, f"{name}.psp_modules.{number}.1")}) for number in range(len(POOLS))
        )
        self.bottleneck = _Layer(shapes, f"{name}.bottleneck")
        self.lateral_convs = nn.ModuleList(_Layer(shapes, f"{name}.lateral_convs.{number}") for number in range(3))
        self.fpn_convs = nn.ModuleList(_Layer(shapes, f"{name}.fpn_convs.{number}") for number in range(3))
        self.fpn_bottleneck = _Layer(shapes, f"{name}.fpn_bottleneck")
        self.conv_seg = _convolution(shapes, f"{name}.conv_seg")

    def forward(self, seen: list[Tensor]) -> Tensor:
        levels = [layer(one) for layer, one in zip(self.lateral_convs, seen[:-1], strict=True)]
        levels.append(self._whole(seen[-1]))
        for number in range(len(levels) - 1, 0, -1):
            levels[number - 1] = levels[number - 1] + _sized(levels[number], like=levels[number - 1])
        found = [layer(one) for layer, one in zip(self.fpn_convs, levels[:-1], strict=True)]
        found.append(levels[-1])
        together = torch.cat([found[0], *(_sized(one, like=found[0]) for one in found[1:])], dim=1)
        return cast(Tensor, self.conv_seg(self.fpn_bottleneck(together)))

    def _whole(self, x: Tensor) -> Tensor:
        pools = zip(self.psp_modules, POOLS, strict=True)
        seen = [_sized(cast(nn.ModuleDict, pool)["1"](adaptive_avg_pool2d(x, size)), like=x) for pool, size in pools]
        return cast(Tensor, self.bottleneck(torch.cat([x, *seen], dim=1)))


def _sized(x: Tensor, *, like: Tensor) -> Tensor:
    return interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


class Segmenter(nn.Module):
    """How likely each class is at each pixel (n, classes, h, w), of normalized pictures (n, 3, h, w) of whole 32s."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.backbone = _UniFormer(shapes, "backbone")
        self.decode_head = _UPerNet(shapes, "decode_head")

    def forward(self, x: Tensor) -> Tensor:
        return _sized(self.decode_head(self.backbone(x)), like=x)


def segmenter(_: int, state: State) -> Segmenter:
    """As wide and deep as the file."""
    return Segmenter({name: tuple(tensor.shape) for name, tensor in state.items()})


def segmenter_names(state: State) -> State:
    """The tensors of the network; the file has a head for its training, too."""
    return {name: tensor for name, tensor in state.items() if name.startswith(("backbone.", "decode_head."))}
