"""Writes an upscaler in Real-ESRGAN's file layout whose answer is known: every pixel four times as wide and high."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

FEATURES, GROWTH = 8, 32
"""Channels; every network of this layout grows by 32."""
FACTOR = 4


def tiny_upscaler_state(*, channels: tuple[int, ...] = (0, 1, 2)) -> dict[str, Tensor]:
    """Tensors by their names: a path of identities around a residual block of zeros.

    `channels` are those that come out, in the network's own order; the others are 0.
    """
    state: dict[str, Tensor] = {}

    def layer(name: str, out: int, width: int, passed: tuple[int, ...] = ()) -> None:
        weight = torch.zeros(out, width, 3, 3)
        for channel in passed:
            weight[channel, channel, 1, 1] = 1
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, torch.zeros(out)

    layer("conv_first", FEATURES, 3, (0, 1, 2))
    for dense in (1, 2, 3):
        for conv in range(1, 6):
            out = FEATURES if conv == 5 else GROWTH
            layer(f"body.0.rdb{dense}.conv{conv}", out, FEATURES + (conv - 1) * GROWTH)
    layer("conv_body", FEATURES, FEATURES)
    for name in ("conv_up1", "conv_up2", "conv_hr"):
        layer(name, FEATURES, FEATURES, (0, 1, 2))
    layer("conv_last", 3, FEATURES, channels)
    return state


def write_tiny_upscaler(path: Path, *, channels: tuple[int, ...] = (0, 1, 2)) -> Path:
    """Write it to `path` as its extension says, pickles as Real-ESRGAN's own training does, and return `path`."""
    state = tiny_upscaler_state(channels=channels)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"params_ema": state}, path)
    return path
