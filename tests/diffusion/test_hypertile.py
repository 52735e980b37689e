"""Self-attention within tiles: the tiles are the reference's, and each sees itself only."""

from random import Random

import pytest
import torch
from diffusers.models.attention_processor import Attention
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from inference_container.diffusion.hypertile import TileGrid, TileLimits, factored, tiled

ALL = TileLimits(max_depth=3, max_tile=256, swap_size=1)


class Mean(nn.Module):
    """Stands for attention: every token becomes the mean of all it sees."""

    def forward(self, hidden_states: Tensor, *, scale: float = 1.0) -> Tensor:
        axes = (2, 3) if hidden_states.ndim == 4 else (1,)
        return scale * hidden_states.mean(dim=axes, keepdim=True).expand_as(hidden_states)


def grid(width: int, height: int, limits: TileLimits = ALL, seed: int = 1) -> TileGrid:
    return TileGrid(width, height, limits, Random(seed))


@pytest.mark.parametrize(
    ("count", "aspect", "rows", "columns"),
    [(4096, 1.0, 64, 64), (384, 1.5, 24, 16), (384, 2 / 3, 16, 24), (6175, 95 / 65, 95, 65), (35, 1.0, 7, 5)],
)
def test_tokens_are_counted_out_in_about_the_aspect_with_width_first(
    count: int, aspect: float, rows: int, columns: int
) -> None:
    assert factored(count, aspect) == (rows, columns)


@pytest.mark.parametrize(
    ("size", "depth", "limits", "cuts"),
    [
        ((128, 128), 0, ALL, (1, 1)),
        ((512, 512), 0, ALL, (2, 2)),
        ((1024, 512), 0, ALL, (4, 2)),
        ((2048, 2048), 1, ALL, (2, 2)),
        ((1024, 1024), 1, ALL, (1, 1)),
        ((1024, 1024), 2, ALL, (1, 1)),
        ((512, 512), 0, TileLimits(3, 128, 1), (4, 4)),
        ((520, 760), 0, ALL, (1, 5)),
        ((640, 640), 0, ALL, (5, 5)),
    ],
)
def test_tiles_are_powers_of_two_that_divide_the_picture_and_grow_with_the_depth(
    size: tuple[int, int], depth: int, limits: TileLimits, cuts: tuple[int, int]
) -> None:
    width, height = size
    count = (width // 8 >> depth) * (height // 8 >> depth)

    assert grid(width, height, limits).of_tokens(count, depth=depth)[2:] == cuts


def test_tile_sizes_are_drawn_at_every_call_by_the_seed() -> None:
    limits, reference = TileLimits(3, 128, 3), Random(7)
    ours = grid(512, 512, limits, seed=7)

    drawn = [cut for _ in range(5) for cut in ours.of_picture(64, 64)]

    assert drawn == [[4, 2, 1][reference.randint(0, 2)] for _ in range(10)]
    assert len(set(drawn)) > 1


def test_a_tile_of_tokens_sees_itself_only_and_layers_are_as_before() -> None:
    layer = Mean()
    tokens = torch.arange(4096.0).reshape(1, 64, 64).repeat(2, 1, 1)[..., None].flatten(1, 2)

    with tiled([(layer, 0)], grid(512, 512)):
        cut = layer(tokens, scale=2.0).reshape(2, 64, 64)
    whole = layer(tokens)

    expected = torch.arange(4096.0).reshape(2, 32, 2, 32).mean(dim=(1, 3)) * 2
    assert torch.equal(cut[0], expected.repeat_interleave(32, 0).repeat_interleave(32, 1))
    assert torch.equal(cut[0], cut[1])
    assert whole.unique().numel() == 1
    assert "forward" not in vars(layer)


@pytest.mark.parametrize("size", [(128, 128), (512, 128), (128, 512), (384, 256), (1024, 256)])
@torch.inference_mode()
def test_a_decoders_attention_takes_tiles_of_every_shape(size: tuple[int, int]) -> None:
    layer = Attention(4, heads=1, dim_head=4, norm_num_groups=2, residual_connection=True, bias=True)
    picture = torch.randn(2, 4, size[1] // 8, size[0] // 8, generator=torch.Generator().manual_seed(1))
    down, across = grid(*size).of_picture(*picture.shape[2:])

    with tiled([(layer, 0)], grid(*size)):
        answer = layer(picture)

    first = layer(picture[:, :, : picture.shape[2] // down, : picture.shape[3] // across].contiguous())
    assert torch.allclose(answer[:, :, : first.shape[2], : first.shape[3]], first, atol=1e-6)


def test_layers_deeper_than_the_limit_keep_the_whole() -> None:
    layer = Mean()

    with tiled([(layer, 1)], grid(1024, 1024, TileLimits(0, 256, 1))):
        assert layer(torch.arange(4096.0).reshape(1, 4096, 1)).unique().numel() == 1


@given(st.sampled_from([(64, 64), (96, 64), (64, 128)]), st.integers(1, 3), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_cutting_and_joining_moves_nothing(cells: tuple[int, int], swap: int, seed: int) -> None:
    rows, columns = cells
    picture = torch.randn(2, 3, rows, columns, generator=torch.Generator().manual_seed(seed))
    tokens = picture.flatten(2).mT

    limits = TileLimits(3, 128, swap)
    layer = nn.Identity()
    with tiled([(layer, 0)], grid(8 * columns, 8 * rows, limits, seed)):
        assert torch.equal(layer(picture), picture)
        assert torch.equal(layer(tokens), tokens)
