"""The UNet as WebUI runs it: on its way up it doubles, convolves, then shrinks to the skip connection's size."""

from collections.abc import Mapping
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn


class SkipSizedUpsample(Upsample2D):  # type: ignore[misc]
    """Doubles and convolves at any size; rows and columns that the skip connection lacks are dropped at the end.

    This is WebUI's order (`TorchHijackForUnet.cat` in its sd_hijack_unet.py). diffusers resizes first, so that its
    convolution meets the padding where WebUI's meets one more row: at sides that are no multiple of 64 that makes
    another picture.
    """

    def forward(self, hidden_states: Tensor, output_size: Any = None) -> Tensor:
        """Of shape (batch, channels, *`output_size`); without it, both sides are doubled."""
        doubled: Tensor = super().forward(hidden_states)
        if output_size is None:
            return doubled
        # A level has half of the skip connection's rows, rounded up, so its double has at most one too many. Nearest
        # neighbour from 2n to 2n - 1 rows takes row floor(i · 2n / (2n - 1)) = i: it drops the last one.
        height, width = output_size
        return doubled[..., :height, :width]


def build_unet(config: Mapping[str, Any]) -> Any:
    """diffusers' UNet2DConditionModel of `config`, with its tensors' names, that draws at every size as WebUI does.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: the configuration is not valid.
    """
    unet = UNet2DConditionModel.from_config(dict(config))
    for block in unet.up_blocks:
        if block.upsamplers:
            block.upsamplers = nn.ModuleList(_skip_sized(upsampler) for upsampler in block.upsamplers)
    return unet


def _skip_sized(upsampler: Any) -> Any:
    if type(upsampler) is not Upsample2D:
        raise ValueError(f"its upsampler is a {type(upsampler).__name__}; allowed: Upsample2D")
    replacement = SkipSizedUpsample(upsampler.channels, use_conv=True, out_channels=upsampler.out_channels)
    replacement.conv = upsampler.conv
    return replacement
