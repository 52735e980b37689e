"""LaMa, the network that fills holes (Suvorov et al. 2021), by its file's names.

Written from the layers' published names, sizes and formulas (the ControlNet extension 1.1.455); spandrel's needs
torchvision. `tests/models/published/annotators.npz` holds the extension's answers.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from inference_container.models.file_networks import count_layers

FIRST, WIDTH = "model.1.ffc.convl2l.weight", 64
SEEN = 4
"""Channels: red, green, blue, and where the hole is."""
GLOBAL = 0.75
"""The share of channels that see the whole picture by its frequencies."""
MOST_BLOCKS = 36
State = Mapping[str, Tensor]
Pair = tuple[Tensor, Tensor | None]
"""Channels that see near places, and those that see the whole picture."""


class _Frequencies(nn.Module):
    """A convolution of a picture's frequencies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * width, 2 * width, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * width)

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        parts = torch.stack((waves.real, waves.imag), dim=2).flatten(1, 2)
        seen = relu(self.bn(self.conv_layer(parts)))
        found = torch.complex(seen[:, 0::2], seen[:, 1::2])
        back: Tensor = torch.fft.irfftn(found, s=x.shape[-2:], dim=(-2, -1), norm="ortho")
        return back


class _Spectral(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = nn.Sequential(nn.Conv2d(inputs, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = _Frequencies(half)
        self.conv2 = nn.Conv2d(half, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        seen: Tensor = self.conv2(x + self.fu(x))
        return seen


class _Exchange(nn.Module):
    """Near places and the whole picture, each seen by both."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, taken: float, given: float) -> None:
        super().__init__()
        wide_in, wide_out = int(inputs * taken), int(outputs * given)
        near_in, near_out = inputs - wide_in, outputs - wide_out
        padding = 0 if stride == 1 and not given else 1

        def convolution(inside: int, outside: int) -> nn.Conv2d:
            return nn.Conv2d(inside, outside, kernel, stride, padding, bias=False, padding_mode="reflect")

        self.convl2l = convolution(near_in, near_out)
        if wide_out:
            self.convl2g = convolution(near_in, wide_out)
        if wide_in:
            self.convg2l = convolution(wide_in, near_out)
        if wide_in and wide_out:
            self.convg2g = _Spectral(wide_in, wide_out)
        self.sees, self.gives = wide_in > 0, wide_out > 0

    def forward(self, pair: Pair) -> Pair:
        near, wide = pair
        seen = self.convl2l(near)
        if wide is not None:
            seen = seen + self.convg2l(wide)
        if not self.gives:
            return seen, None
        whole = self.convl2g(near)
        return seen, whole if wide is None else whole + self.convg2g(wide)


class _Layer(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, taken: float = 0, given: float = 0
    ) -> None:
        super().__init__()
        self.ffc = _Exchange(inputs, outputs, kernel, stride=stride, taken=taken, given=given)
        self.bn_l = nn.BatchNorm2d(outputs - int(outputs * given))
        if given:
            self.bn_g = nn.BatchNorm2d(int(outputs * given))

    def forward(self, pair: Pair) -> Pair:
        near, wide = self.ffc(pair)
        return relu(self.bn_l(near)), None if wide is None else relu(self.bn_g(wide))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _Layer(width, width, 3, taken=GLOBAL, given=GLOBAL)
        self.conv2 = _Layer(width, width, 3, taken=GLOBAL, given=GLOBAL)

    def forward(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        near, wide = self.conv2(self.conv1(pair))
        return pair[0] + near, pair[1] + wide


class _Together(nn.Module):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return torch.cat(pair, dim=1)


class _Alone(nn.Module):
    """A picture as a pair of which nothing sees the whole."""

    def forward(self, x: Tensor) -> Pair:
        return nn.functional.pad(x, (3, 3, 3, 3), mode="reflect"), None


class HoleFiller(nn.Module):
    """The picture (n, 3, h, w) in 0..1 with its hole filled, of (n, 4, h, w): RGB in 0..1, black where the fourth
    channel is 1; sides are multiples of 8."""

    def __init__(self, width: int = WIDTH, blocks: int = 18) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Alone(), _Layer(SEEN, width, 7)]
        for size in range(3):
            given = GLOBAL if size == 2 else 0
            layers.append(_Layer(width << size, width << (size + 1), 3, stride=2, given=given))
        layers += [_Block(8 * width) for _ in range(blocks)]
        layers.append(_Together())
        for size in range(3, 0, -1):
            outputs = width << (size - 1)
            grown = nn.ConvTranspose2d(width << size, outputs, 3, stride=2, padding=1, output_padding=1)
            layers += [grown, nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        filled: Tensor = self.model(x)
        return filled


def hole_filler(width: int, state: State) -> HoleFiller:
    """As wide and deep as the file.

    Raises:
        ValueError: it has more blocks than MOST_BLOCKS.
    """
    blocks = count_layers(state, r"model\.(\d+)\.conv1\.")
    if blocks > MOST_BLOCKS:
        raise ValueError(f"{blocks} blocks; allowed: {MOST_BLOCKS}")
    return HoleFiller(width, blocks)


def hole_filler_names(state: State) -> State:
    """The tensors of the network that fills; a file of its training has others, too."""
    return {name: tensor for name, tensor in state.items() if name.startswith("model.")}
