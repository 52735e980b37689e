"""What a network file says of one layer, and the change of weights that a kind of network makes of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LayerParts:
    """Tensors and numbers of one layer of a network file, by WebUI's names for them."""

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]
    """Such as `alpha`, `scale` and `on_input`."""

    def moved(self, move: Callable[[Tensor], Tensor]) -> "LayerParts":
        """The same with every tensor as `move` makes it."""
        return LayerParts({name: move(tensor) for name, tensor in self.tensors.items()}, self.numbers)

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self.tensors, *self.numbers))


@dataclass(frozen=True)
class AppliedLayer:
    """A layer of a network at the layer of a model it shall change."""

    parts: LayerParts
    """float32, on the weight's device."""
    weight: Tensor
    """As it is, changed by the networks before this one; float32."""
    rank: int | None = None
    """To truncate to; None: all of the file's."""

    def __getitem__(self, name: str) -> Tensor:
        return self.parts.tensors[name]

    def get(self, name: str) -> Tensor | None:
        return self.parts.tensors.get(name)

    @property
    def numbers(self) -> Mapping[str, float]:
        return self.parts.numbers


@dataclass(frozen=True)
class Change:
    """ΔW of a layer before its scale and the tag's weight."""

    weight: Tensor | None
    """As many numbers as the layer's weight, its outputs first."""
    bias: Tensor | None = None
    """Added to the bias; takes the tag's weight but no scale."""
    rank: int | None = None
    """What `alpha` is divided by; None: `alpha` scales nothing."""
    factors: tuple[Tensor, Tensor] | None = None
    """In place of `weight`: two matrices whose product it is, so that it need not be laid out in memory."""

    def whole(self) -> Tensor | None:
        """ΔW laid out."""
        return self.weight if self.factors is None else self.factors[0] @ self.factors[1]


def scale_of(parts: LayerParts, rank: int | None) -> float:
    """What ΔW is multiplied with: the file's `scale`, else alpha / rank, else 1 (semantics §8.2)."""
    alpha = parts.numbers.get("alpha")
    if "scale" in parts.numbers:
        return parts.numbers["scale"]
    return 1.0 if alpha is None or not rank else alpha / rank


def matrix(tensor: Tensor) -> Tensor:
    """Outputs by everything else."""
    return tensor.reshape(tensor.shape[0], -1)


def is_shape_of(change: Tensor, weight: Tensor) -> bool:
    """Whether `change` can be added to `weight`, be it flattened."""
    return change.ndim > 0 and change.shape[0] == weight.shape[0] and change.numel() == math.prod(weight.shape)
