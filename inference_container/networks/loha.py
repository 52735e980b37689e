"""LoHa: ΔW is the elementwise product of two low-rank matrices."""

import torch
from torch import Tensor

from inference_container.networks.layer import AppliedLayer, Change, matrix


def change(layer: AppliedLayer) -> Change:
    first, second = (_factor(layer, number) for number in (1, 2))
    return Change(first * second, rank=int(layer["hada_w1_b"].shape[0]))


def _factor(layer: AppliedLayer, number: int) -> Tensor:
    outer, inner, core = layer[f"hada_w{number}_a"], layer[f"hada_w{number}_b"], layer.get(f"hada_t{number}")
    return matrix(outer @ matrix(inner)) if core is None else matrix(tucker(core, outer, inner))


def tucker(core: Tensor, outer: Tensor, inner: Tensor) -> Tensor:
    """Build a convolution from its core (a, b, h, w), outer (a, outputs) and inner (b, inputs)."""
    return torch.einsum("abhw,ao,bi->oihw", core, outer, inner)
