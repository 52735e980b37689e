"""Random numbers for networks that no file of ours has."""

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


def filled(network: nn.Module, *, seed: int, gain: float = 1.4, bias: float = 0.1) -> State:
    """Tensors for all of a network: answers keep about the size of what comes in, where `gain` is right for it."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = tensor
        elif name.endswith("running_var"):
            state[name] = torch.rand(tensor.shape, generator=generator) + 0.5
        elif tensor.ndim > 1:
            fan_in = tensor.numel() // tensor.shape[-4 if tensor.ndim == 5 else 0]
            state[name] = torch.randn(tensor.shape, generator=generator) * (gain / fan_in) ** 0.5
        else:
            ones = name.endswith("weight")
            state[name] = torch.randn(tensor.shape, generator=generator) * bias + (1.0 if ones else 0.0)
    return state
