"""Random tiny VAEs (TAESD) in the layouts that tools write, and what one computes, by functions of torch alone."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, relu

BLOCKS = (3, 3, 3)
WIDTH = 64

State = dict[str, Tensor]


def tiny_decoder(*, seed: int = 0, channels: int = 4) -> State:
    """A decoder as in WebUI's `taesd_decoder.pth`: numbers of layers, the first of which clamps."""
    state: State = {}
    generator = torch.Generator().manual_seed(seed)
    _convolution(state, "1", channels, WIDTH, generator)
    number = 3
    for blocks in BLOCKS:
        for _ in range(blocks):
            _block(state, number, generator)
            number += 1
        _convolution(state, f"{number + 1}", WIDTH, WIDTH, generator, bias=False)
        number += 2
    _block(state, number, generator)
    _convolution(state, f"{number + 1}", WIDTH, 3, generator)
    return state


def tiny_encoder(*, seed: int = 0, channels: int = 4) -> State:
    """An encoder as in WebUI's `taesd_encoder.pth`."""
    state: State = {}
    generator = torch.Generator().manual_seed(seed + 1)
    _convolution(state, "0", 3, WIDTH, generator)
    _block(state, 1, generator)
    number = 2
    for blocks in BLOCKS:
        _convolution(state, f"{number}", WIDTH, WIDTH, generator, bias=False)
        for block in range(blocks):
            _block(state, number + 1 + block, generator)
        number += 1 + blocks
    _convolution(state, f"{number}", WIDTH, channels, generator)
    return state


def as_diffusers(encoder: Mapping[str, Tensor], decoder: Mapping[str, Tensor]) -> State:
    """Both in diffusers' layout, whose decoder has no layer for the clamp."""
    shifted = {re.sub(r"^\d+", lambda number: str(int(number[0]) - 1), name): one for name, one in decoder.items()}
    return {
        **{f"encoder.layers.{name}": one for name, one in encoder.items()},
        **{f"decoder.layers.{name}": one for name, one in shifted.items()},
    }


def decoded(state: Mapping[str, Tensor], latents: Tensor) -> Tensor:
    """The picture in 0..1 of latents (n, 4, h, w)."""
    x = relu(_convolved(state, "1", torch.tanh(latents / 3) * 3))
    number = 3
    for blocks in BLOCKS:
        for _ in range(blocks):
            x = _blocked(state, number, x)
            number += 1
        x = _convolved(state, f"{number + 1}", interpolate(x, scale_factor=2.0))
        number += 2
    return _convolved(state, f"{number + 1}", _blocked(state, number, x))


def encoded(state: Mapping[str, Tensor], picture: Tensor) -> Tensor:
    """The latents of a picture (n, 3, h, w) in 0..1."""
    x = _blocked(state, 1, _convolved(state, "0", picture))
    number = 2
    for blocks in BLOCKS:
        x = _convolved(state, f"{number}", x, stride=2)
        for block in range(blocks):
            x = _blocked(state, number + 1 + block, x)
        number += 1 + blocks
    return _convolved(state, f"{number}", x)


def _convolution(
    state: State, name: str, inputs: int, outputs: int, generator: torch.Generator, *, bias: bool = True
) -> None:
    state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (0.7 / (9 * inputs)) ** 0.5
    if bias:
        state[f"{name}.bias"] = torch.rand(outputs, generator=generator) * 0.1


def _block(state: State, number: int, generator: torch.Generator) -> None:
    for layer in (0, 2, 4):
        _convolution(state, f"{number}.conv.{layer}", WIDTH, WIDTH, generator)


def _convolved(state: Mapping[str, Tensor], name: str, x: Tensor, *, stride: int = 1) -> Tensor:
    return conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride=stride, padding=1)


def _blocked(state: Mapping[str, Tensor], number: int, x: Tensor) -> Tensor:
    inner = relu(_convolved(state, f"{number}.conv.0", x))
    inner = relu(_convolved(state, f"{number}.conv.2", inner))
    return relu(_convolved(state, f"{number}.conv.4", inner) + x)
