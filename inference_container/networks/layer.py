"""One layer in a network file, and the weight change that its network kind computes from it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LayerParts:
    """Tensors and numbers of one layer in a network file, by WebUI's names."""

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, float]
    """Single numbers such as `alpha`, `scale` and `on_input`."""

    def moved(self, move: Callable[[Tensor], Tensor]) -> "LayerParts":
        """A copy with `move` applied to every tensor."""
        return LayerParts({name: move(tensor) for name, tensor in self.tensors.items()}, self.numbers)

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self.tensors, *self.numbers))


@dataclass(frozen=True)
class AppliedLayer:
    """A network's layer together with the model's layer that it changes."""

    parts: LayerParts
    """In float32, on the weight's device."""
    weight: Tensor
    """The model's current weight, including the changes of earlier networks; float32."""
    rank: int | None = None
    """The rank to truncate to; None for the file's full rank."""

    def __getitem__(self, name: str) -> Tensor:
        return self.parts.tensors[name]

    def get(self, name: str) -> Tensor | None:
        return self.parts.tensors.get(name)

    @property
    def numbers(self) -> Mapping[str, float]:
        return self.parts.numbers


@dataclass(frozen=True)
class Change:
    """ΔW of a layer before it is multiplied by its scale and the tag's weight."""

    weight: Tensor | None
    """Has as many elements as the layer's weight; outputs are the first axis."""
    bias: Tensor | None = None
    """Added to the bias after multiplication by the tag's weight, but without the scale."""
    rank: int | None = None
    """The divisor of `alpha`; None if `alpha` does not scale this change."""
    factors: tuple[Tensor, Tensor] | None = None
    """Replaces `weight`: two matrices whose product is ΔW, so that ΔW need not be held in memory."""

    def whole(self) -> Tensor | None:
        """ΔW as one tensor."""
        return self.weight if self.factors is None else self.factors[0] @ self.factors[1]


def scale_of(parts: LayerParts, rank: int | None) -> float:
    """The factor for ΔW: the file's `scale`, else alpha / rank, else 1 (semantics §8.2)."""
    alpha = parts.numbers.get("alpha")
    if "scale" in parts.numbers:
        return parts.numbers["scale"]
    return 1.0 if alpha is None or not rank else alpha / rank


def matrix(tensor: Tensor) -> Tensor:
    """The tensor as a matrix of outputs × all other axes."""
    return tensor.reshape(tensor.shape[0], -1)


def is_shape_of(change: Tensor, weight: Tensor) -> bool:
    """Whether `change` can be added to `weight`, possibly after reshaping."""
    return change.ndim > 0 and change.shape[0] == weight.shape[0] and change.numel() == math.prod(weight.shape)
