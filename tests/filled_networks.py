"""Random numbers for networks that no file of ours has."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


def filled(network: nn.Module, *, seed: int, gain: float = 1.4, bias: float = 0.1) -> State:
    """Tensors for all of a network: answers keep about the size of what comes in, where `gain` is right for it."""
    tensors = network.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.is_floating_point()}
    made = filled_shapes(shapes, seed=seed, gain=gain, bias=bias)
    return {name: made.get(name, tensor) for name, tensor in tensors.items()}


def filled_shapes(shapes: Mapping[str, tuple[int, ...]], *, seed: int, gain: float = 1.4, bias: float = 0.1) -> State:
    """The same for tensors of which only the shapes are known."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes.items():
        if name.endswith("running_var"):
            state[name] = torch.rand(shape, generator=generator) + 0.5
        elif len(shape) > 1:
            fan_in = math.prod(shape) // shape[-4 if len(shape) == 5 else 0]
            state[name] = torch.randn(shape, generator=generator) * (gain / fan_in) ** 0.5
        else:
            ones = name.endswith("weight")
            state[name] = torch.randn(shape, generator=generator) * bias + (1.0 if ones else 0.0)
    return state
