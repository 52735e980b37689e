"""OFT and BOFT: orthogonal matrices rotate the weight's outputs block by block."""

import torch
from torch import Tensor

from inference_container.networks.layer import AppliedLayer, Change

TINY = 1e-8


def change(layer: AppliedLayer) -> Change:
    """Compute ΔW from the generators B in `oft_blocks` or the rotations R in `oft_diag`.

    Both have the shape (blocks, n, n); in BOFT, `oft_blocks` has the shape (steps, blocks, n, n).
    """
    blocks, weight = layer.get("oft_blocks"), layer.weight
    if blocks is None:
        turned = _turn(weight, layer["oft_diag"].mT)
    elif blocks.ndim == 4:
        turned = _butterfly(weight, _rotations(blocks, layer, outputs=len(weight)))
    else:
        turned = _turn(weight, _rotations(blocks, layer, outputs=len(weight)).mT)
    factors = layer.get("rescale")
    if factors is not None:
        turned = turned * factors.reshape(-1, *[1] * (weight.ndim - 1))
    return Change(turned - weight)


def _rotations(blocks: Tensor, layer: AppliedLayer, *, outputs: int) -> Tensor:
    """R = (I + Q)(I - Q)⁻¹ with the skew-symmetric Q = B - Bᵀ; `alpha` · outputs bounds its norm unless it is 0."""
    skew = blocks - blocks.mT
    constraint = layer.numbers.get("alpha", 0.0) * outputs
    if constraint:
        norm = skew.norm()
        skew = skew * ((norm.clamp(max=constraint) + TINY) / (norm + TINY))
    one = torch.eye(blocks.shape[-1], device=blocks.device)
    rotations: Tensor = (one + skew) @ torch.linalg.inv(one - skew)
    return rotations


def _turn(weight: Tensor, rotations: Tensor) -> Tensor:
    """Multiply each run of n outputs by its own n×n matrix."""
    count, size = rotations.shape[:2]
    runs = weight.reshape(count, size, -1)
    return (rotations @ runs).reshape(weight.shape)


def _butterfly(weight: Tensor, rotations: Tensor) -> Tensor:
    """BOFT: each step doubles the distance between the outputs that share a block."""
    steps, _, size, _ = rotations.shape
    for step in range(steps):
        stride = 2**step * (size // 2)
        # (groups, 2, stride, inputs) -> (groups, stride, 2, inputs): partners `stride` apart become neighbours
        paired = weight.reshape(-1, 2, stride, weight[0].numel()).transpose(1, 2)
        turned = _turn(paired.reshape(weight.shape), rotations[step])
        weight = turned.reshape(-1, stride, 2, weight[0].numel()).transpose(1, 2).reshape(weight.shape)
    return weight
