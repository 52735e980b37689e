"""Random, narrow networks of OpenPose, as in the files that the ControlNet extension downloads."""

import torch
from torch import Tensor, nn

from inference_container.models.pose_networks import BodyPose, PartPose

WIDTH = 8
"""An eighth of the published networks'."""
SEEN = torch.randn(48, 64, 3, generator=torch.Generator().manual_seed(7)) * 0.3
"""A picture for them."""


def body() -> dict[str, Tensor]:
    return _random(BodyPose(WIDTH), seed=41)


def part(seed: int, maps: int) -> dict[str, Tensor]:
    return _random(PartPose(WIDTH, maps=maps), seed=seed)


def _random(network: nn.Module, *, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in network.state_dict().items():
        fan_in = tensor.numel() // tensor.shape[0]
        scale = (2.0 / fan_in) ** 0.5 if tensor.ndim > 1 else 0.1
        state[name] = torch.randn(tensor.shape, generator=generator) * scale
    return state
