"""At every size the UNet computes what WebUI's does: double, convolve, shrink to the skip connection."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from generate_on_cloud.model_files.family_names import Family
from inference_container.models.loader import load_checkpoint
from inference_container.models.unet import build_unet
from tests.models.conftest import model_file
from tests.tiny_checkpoint import write_tiny_checkpoint
from tests.tiny_families import write_family

ON_A_CPU: Any = {"device": torch.device("cpu"), "dtype": torch.float32}
SIDES = st.integers(8, 128).map(lambda latents: 8 * latents)


def as_webui_does(unet: Any, latents: Tensor, words: Tensor | None = None) -> Tensor:
    """The UNet's own layers in the order of ldm's UNetModel and WebUI's TorchHijackForUnet.cat, at timestep 500."""
    time = unet.time_embedding(unet.time_proj(torch.full((len(latents),), 500)))

    def layers(block: Any, number: int, hidden: Tensor) -> Tensor:
        hidden = block.resnets[number](hidden, time)
        if not getattr(block, "has_cross_attention", False):
            return hidden
        return block.attentions[number](hidden, encoder_hidden_states=words, return_dict=False)[0]  # type: ignore[no-any-return]

    hidden = unet.conv_in(latents)
    skips = [hidden]
    for block in unet.down_blocks:
        for number in range(len(block.resnets)):
            hidden = layers(block, number, hidden)
            skips.append(hidden)
        for downsampler in block.downsamplers or ():
            hidden = downsampler(hidden)
            skips.append(hidden)
    hidden = unet.mid_block.resnets[0](hidden, time)
    hidden = unet.mid_block.attentions[0](hidden, encoder_hidden_states=words, return_dict=False)[0]
    hidden = unet.mid_block.resnets[1](hidden, time)
    for block in unet.up_blocks:
        for number in range(len(block.resnets)):
            skip = skips.pop()
            if hidden.shape[-2:] != skip.shape[-2:]:
                hidden = interpolate(hidden, skip.shape[-2:], mode="nearest")
            hidden = layers(block, number, torch.cat([hidden, skip], dim=1))
        for upsampler in block.upsamplers or ():
            hidden = upsampler.conv(interpolate(hidden, scale_factor=2.0, mode="nearest"))
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def bare_unet() -> Any:
    """Four levels, three doublings, as in Stable Diffusion 1 and 2; attention only in the middle."""
    torch.manual_seed(0)
    unet = build_unet(
        {
            "down_block_types": ["DownBlock2D"] * 4,
            "up_block_types": ["UpBlock2D"] * 4,
            "block_out_channels": [4, 4, 8, 8],
            "layers_per_block": 1,
            "norm_num_groups": 2,
            "cross_attention_dim": 8,
            "attention_head_dim": 2,
        }
    )
    return unet.requires_grad_(False).eval()


@given(width=SIDES, height=SIDES)
@settings(max_examples=25, deadline=None)
def test_every_size_from_64_to_1024_is_doubled_convolved_and_then_shrunk(
    bare_unet: Any, width: int, height: int
) -> None:
    generator = torch.Generator().manual_seed(width + height)
    latents = torch.randn(1, 4, height // 8, width // 8, generator=generator)
    words = torch.randn(1, 3, 8, generator=generator)

    ours = bare_unet(latents, 500, encoder_hidden_states=words).sample

    torch.testing.assert_close(ours, as_webui_does(bare_unet, latents, words), rtol=0, atol=1e-5)


def write_sd1(path: Path, _: Family) -> Path:
    return write_tiny_checkpoint(path)


@pytest.mark.parametrize(
    ("family", "write"), [(Family.SD1, write_sd1), (Family.SD2, write_family), (Family.SD2_INPAINT, write_family)]
)
@pytest.mark.parametrize(("width", "height"), [(72, 200), (136, 104), (96, 160)])
def test_checkpoints_are_loaded_with_webuis_way_up(
    tmp_path: Path, family: Family, write: Callable[[Path, Family], Path], width: int, height: int
) -> None:
    unet = load_checkpoint(model_file(write(tmp_path / "tiny.safetensors", family)), **ON_A_CPU).unet
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(2, unet.config.in_channels, height // 8, width // 8, generator=generator)
    words = torch.randn(2, 5, unet.config.cross_attention_dim, generator=generator)

    ours = unet(latents, 500, encoder_hidden_states=words).sample

    torch.testing.assert_close(ours, as_webui_does(unet, latents, words), rtol=0, atol=1e-5)


def test_a_compiled_upsampler_gives_the_same_size_and_numbers(bare_unet: Any) -> None:
    upsampler = bare_unet.up_blocks[0].upsamplers[0]
    hidden = torch.randn(1, 8, 5, 3, generator=torch.Generator().manual_seed(2))

    compiled: Any = torch.compile(upsampler, backend="eager", dynamic=True)

    assert torch.equal(compiled(hidden, (9, 6)), upsampler(hidden, (9, 6)))
    assert upsampler(hidden, (9, 6)).shape == (1, 8, 9, 6)
