"""LoKr: ΔW is the Kronecker product of two matrices, each either full or factored into low rank."""

import torch
from torch import Tensor

from inference_container.networks.layer import AppliedLayer, Change
from inference_container.networks.loha import tucker


def change(layer: AppliedLayer) -> Change:
    """Compute ΔW; `alpha` is divided by the rank of a factored matrix, preferably the second one."""
    left, right = _side(layer, 1), _side(layer, 2)
    if right.ndim > left.ndim:
        left = left.reshape(*left.shape, *[1] * (right.ndim - left.ndim))
    inner = layer.get("lokr_w2_b")
    if inner is None:
        inner = layer.get("lokr_w1_b")
    return Change(torch.kron(left, right.contiguous()), rank=None if inner is None else int(inner.shape[0]))


def _side(layer: AppliedLayer, number: int) -> Tensor:
    whole, core = layer.get(f"lokr_w{number}"), layer.get(f"lokr_t{number}")
    if whole is not None:
        return whole
    outer, inner = layer[f"lokr_w{number}_a"], layer[f"lokr_w{number}_b"]
    return outer @ inner if core is None else tucker(core, outer, inner)
