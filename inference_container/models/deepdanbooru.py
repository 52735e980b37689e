"""DeepDanbooru's residual network in the layout of its torch port, built from a file's shapes (semantics §6.2).

Convolutions are numbered in the order of the original graph, `n_Conv_0` to `n_Conv_178` in the published model. Kernels
and widths determine the position of each, so narrower and shorter networks of the same design load too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Kernel = tuple[int, int, int]
"""Output channels, input channels and side length of a square kernel."""


@dataclass(frozen=True)
class BlockPlan:
    """One residual block: the numbers of its convolutions."""

    reduce: int
    middle: int
    expand: int
    shortcut: int | None
    """None if the block's input itself is added."""
    stride: int


class LayoutError(ValueError):
    """The convolutions do not form such a network; the message names the first one that does not fit."""


def plan_blocks(kernels: Mapping[int, Kernel]) -> list[BlockPlan]:
    """The residual blocks between the first convolution and the last.

    A shortcut that widens comes before its block, any other comes after it. Every block with a shortcut halves the
    picture, except the first one, whose input the pooling has already halved.

    Raises:
        LayoutError: the convolutions have other numbers or shapes.
    """
    if sorted(kernels) != list(range(len(kernels))) or len(kernels) < 5:
        raise LayoutError(f"its {len(kernels)} convolutions are not numbered consecutively from 0")
    if kernels[0][1:] != (3, 7):
        raise LayoutError(f"its first convolution is {_words(kernels[0])}; expected a 7×7 kernel over 3 channels")
    last = len(kernels) - 1
    blocks: list[BlockPlan] = []
    number, width = 1, kernels[0][0]
    while number < last:
        before = number if kernels[number][0] > width and _is_three(kernels, number + 2) else None
        reduce = number if before is None else number + 1
        expand = reduce + 2
        if not _is_three(kernels, reduce + 1) or expand >= last:
            raise LayoutError(f"no residual block begins at its convolution {number}, {_words(kernels[number])}")
        number = expand + 1
        after = number if before is None and number < last and kernels[number] == (width, width, 1) else None
        shortcut = after if before is None else before
        number += after is not None
        plan = BlockPlan(reduce, reduce + 1, expand, shortcut, stride=2 if shortcut is not None and blocks else 1)
        _check_widths(kernels, plan, width)
        blocks.append(plan)
        width = kernels[expand][0]
    if kernels[last][1:] != (width, 1):
        raise LayoutError(f"its last convolution is {_words(kernels[last])}; expected a 1×1 kernel over {width}")
    return blocks


def _is_three(kernels: Mapping[int, Kernel], number: int) -> bool:
    return number in kernels and kernels[number][2] == 3


def _words(kernel: Kernel) -> str:
    return f"{kernel[2]}×{kernel[2]} from {kernel[1]} to {kernel[0]} channels"


def _check_widths(kernels: Mapping[int, Kernel], plan: BlockPlan, width: int) -> None:
    narrow, out = kernels[plan.reduce][0], kernels[plan.expand][0]
    expected = {
        plan.reduce: (narrow, width, 1),
        plan.middle: (narrow, narrow, 3),
        plan.expand: (out, narrow, 1),
    }
    if plan.shortcut is not None:
        expected[plan.shortcut] = (out, width, 1)
    elif out != width:
        raise LayoutError(f"the block of its convolution {plan.reduce} widens {width} to {out} without a shortcut")
    for number, kernel in expected.items():
        if kernels[number] != kernel:
            raise LayoutError(f"its convolution {number} is {_words(kernels[number])}; expected {_words(kernel)}")


def _pad_as_tensorflow(x: Tensor, *, stride: int) -> Tensor:
    # TensorFlow's "SAME" padding of a 3×3 kernel: a strided convolution is padded at the end only.
    return functional.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


class _Block(nn.Module):
    def __init__(self, kernels: Mapping[int, Kernel], plan: BlockPlan) -> None:
        super().__init__()
        self.stride = plan.stride
        self.reduce = _convolution(kernels[plan.reduce])
        self.middle = _convolution(kernels[plan.middle], stride=plan.stride)
        self.expand = _convolution(kernels[plan.expand])
        self.shortcut = None if plan.shortcut is None else _convolution(kernels[plan.shortcut], stride=plan.stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.reduce(x))
        inner = functional.relu(self.middle(_pad_as_tensorflow(inner, stride=self.stride)))
        return functional.relu(self.expand(inner) + (x if self.shortcut is None else self.shortcut(x)))


def _convolution(kernel: Kernel, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(kernel[1], kernel[0], kernel[2], stride=stride, bias=bias)


class DeepDanbooru(nn.Module):
    """Maps pictures (batch, height, width, 3) in 0..1 to probabilities of the tags (batch, tags)."""

    def __init__(self, kernels: Mapping[int, Kernel]) -> None:
        super().__init__()
        plans = plan_blocks(kernels)
        last = len(kernels) - 1
        self.stem = _convolution(kernels[0], stride=2)
        self.blocks = nn.ModuleList(_Block(kernels, plan) for plan in plans)
        self.head = _convolution(kernels[last], bias=False)
        names = {0: "stem", last: "head"}
        for number, plan in enumerate(plans):
            names |= {plan.reduce: f"blocks.{number}.reduce", plan.middle: f"blocks.{number}.middle"}
            names |= {plan.expand: f"blocks.{number}.expand"}
            names |= {} if plan.shortcut is None else {plan.shortcut: f"blocks.{number}.shortcut"}
        self.file_names: dict[str, str] = {
            f"{name}.{kind}": f"n_Conv_{number}.{kind}"
            for number, name in sorted(names.items())
            for kind in (("weight",) if number == last else ("weight", "bias"))
        }
        """Each parameter's name in a file."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.sigmoid(self.score(self.pass_blocks(self.shrink(pictures), range(len(self.blocks)))))

    def shrink(self, pictures: Tensor) -> Tensor:
        """Apply the first convolution and the pooling: (batch, channels, height / 4, width / 4)."""
        x = functional.pad(pictures.permute(0, 3, 1, 2), (2, 3, 2, 3))
        x = functional.pad(functional.relu(self.stem(x)), (0, 1, 0, 1), value=float("-inf"))
        return functional.max_pool2d(x, 3, stride=2)

    def pass_blocks(self, x: Tensor, numbers: range) -> Tensor:
        """Pass `x` through these blocks."""
        for number in numbers:
            x = self.blocks[number](x)
        return x

    def score(self, x: Tensor) -> Tensor:
        """Logits (batch, tags) from the output of the last block."""
        scores: Tensor = self.head(x).mean((2, 3))
        return scores
