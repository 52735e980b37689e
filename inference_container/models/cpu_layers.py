"""Speeds up models on a CPU: large matrices are multiplied by oneDNN, which on AMD's processors is faster than MKL."""

from typing import Any

import torch
from torch import Tensor, nn

SMALLEST = 2**16
"""Weights of a layer from which on it matters; below that PyTorch's own way has less overhead."""
_LINEAR = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
"""PyTorch's operator, which its compiler uses for the same layers; None if this build has none."""


class OneDnnLinear(nn.Linear):
    """A linear layer in float32 on a CPU; everything else is left to PyTorch."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        if _LINEAR is None or not torch.is_inference_mode_enabled() or _other_than_float32(input, self.weight):
            return super().forward(input)
        multiplied: Tensor = _LINEAR(input, self.weight, self.bias, "none", [], "")
        return multiplied


def speed_up_on_cpu(*modules: Any, device: torch.device) -> None:
    """Let the large linear layers of these modules use oneDNN; does nothing on a GPU.

    Their weights stay where they are, so networks merge into them as before.
    """
    if device.type != "cpu":
        return
    for module in modules:
        for layer in module.modules():
            if type(layer) is nn.Linear and layer.weight.numel() >= SMALLEST:
                layer.__class__ = OneDnnLinear


def _other_than_float32(*tensors: Tensor) -> bool:
    return any(one.dtype != torch.float32 or one.device.type != "cpu" for one in tensors)
