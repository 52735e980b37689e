"""Tokens are merged into what they resemble most and come back to their places."""

import torch

from inference_container.diffusion.token_merging import Merge


def tokens(count: int = 16, channels: int = 3) -> torch.Tensor:
    return torch.randn(2, count, channels, generator=torch.Generator().manual_seed(1))


def merge_of(values: torch.Tensor, ratio: float) -> Merge:
    merge = Merge.of(values, height=4, width=4, ratio=ratio)
    assert merge is not None
    return merge


def test_the_first_token_of_each_block_is_a_destination_and_the_asked_share_goes() -> None:
    merge = merge_of(tokens(), 0.5)

    assert merge.destinations[0, :, 0].tolist() == [0, 2, 8, 10]
    assert merge.merge(tokens()).shape == (2, 8, 3)


def test_a_destination_is_the_mean_of_itself_and_what_went_into_it() -> None:
    values = torch.zeros(1, 4, 2)
    values[0] = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    merge = Merge.of(values, height=2, width=2, ratio=0.25)
    assert merge is not None

    merged = merge.merge(values)

    assert merged[0, -1].tolist() == [2.0, 0.0]
    assert sorted(merged[0, :-1].tolist()) == [[0.0, -1.0], [0.0, 1.0]]


def test_what_was_not_merged_comes_back_to_its_place_and_the_rest_gets_its_destination() -> None:
    values = tokens()
    merge = merge_of(values, 0.5)

    back = merge.unmerge(merge.merge(values))

    for picture in range(2):
        kept = merge.sources[picture, merge.kept[picture, :, 0], 0]
        assert torch.equal(back[picture, kept], values[picture, kept])
        gone = merge.sources[picture, merge.merged[picture, :, 0], 0]
        into = merge.destinations[picture, merge.into[picture, :, 0], 0]
        assert torch.equal(back[picture, gone], back[picture, into])


def test_no_more_than_the_sources_can_go_and_nothing_is_no_merge() -> None:
    assert merge_of(tokens(), 0.9).kept.shape[1] == 0
    assert Merge.of(tokens(), height=4, width=4, ratio=0.0) is None
    assert Merge.of(tokens(1), height=1, width=1, ratio=0.9) is None
