"""Noise per image: the software generator, streams, variations, resized seeds, Brownian trees (semantics §2.7)."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torchsde
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_container.diffusion.brownian import BrownianNoise, BrownianTree
from inference_container.diffusion.noise import ImageNoise, RandomSource, Variation, draws_of, slerp
from inference_container.diffusion.philox import PhiloxGenerator
from tests.diffusion.toy_models import CPU

SHAPE = (4, 6, 8)
SOURCES: tuple[RandomSource, ...] = ("GPU", "CPU", "NV")


def draws(seed: int, count: int, source: RandomSource = "CPU", shape: tuple[int, ...] = SHAPE) -> list[torch.Tensor]:
    draw = draws_of(seed, source=source, device=CPU)
    return [draw(shape) for _ in range(count)]


def test_philox_gives_cudas_numbers() -> None:
    expected = [
        *(-0.92466, -0.42534, -2.64385, 0.14518, -0.12087, -0.57973),
        *(-0.62285, -0.32839, -1.07454, -0.36314, -1.67105, 2.26551),
    ]

    assert PhiloxGenerator(0).randn((3, 4)).ravel().tolist() == pytest.approx(expected, abs=6e-6)


def test_philox_is_normal_and_differs_by_draw_and_by_either_half_of_the_seed() -> None:
    generator = PhiloxGenerator(5)
    first, second = generator.randn((10_000,)), generator.randn((10_000,))

    assert first.dtype == np.float32
    assert abs(first.mean()) < 0.05
    assert first.std() == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    assert not np.array_equal(first, PhiloxGenerator(5 + 2**32).randn((10_000,)))
    assert np.array_equal(first, PhiloxGenerator(5 + 2**64).randn((10_000,)))


def test_an_unknown_source_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'TPU'; allowed: GPU, CPU, NV"):
        draws_of(0, source="TPU", device=CPU)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", SOURCES)
def test_each_image_draws_from_its_own_seed(source: RandomSource) -> None:
    batch = ImageNoise([7, 8, 9], SHAPE, source=source)
    alone = ImageNoise([8], SHAPE, source=source)

    assert torch.equal(batch.first()[1], alone.first()[0])
    assert torch.equal(batch.next()[1], alone.next()[0])
    assert torch.equal(batch.next()[1], alone.next()[0])


@pytest.mark.parametrize("source", SOURCES)
def test_first_and_later_noises_are_successive_draws_in_float32(source: RandomSource) -> None:
    expected = draws(7, 3, source)

    noise = ImageNoise([7], SHAPE, source=source)

    assert torch.equal(noise.first()[0], expected[0])
    assert torch.equal(noise.first()[0], expected[0])
    assert torch.equal(noise.next()[0], expected[1])
    assert torch.equal(noise.next()[0], expected[2])
    assert noise.first().dtype == torch.float32


def test_later_noise_never_is_the_initial_one_even_when_nobody_asked_for_that() -> None:
    assert torch.equal(ImageNoise([7], SHAPE, source="CPU").next()[0], draws(7, 2)[1])


def test_the_largest_seed_and_the_ones_after_it_work() -> None:
    last = ImageNoise([2**64 - 1, 2**64], SHAPE, source="CPU", eta_noise_seed_delta=31337).next()

    assert torch.equal(last[1], draws(31337, 1)[0])


def test_ensd_starts_new_streams_after_the_first_noise() -> None:
    noise = ImageNoise([7], SHAPE, source="CPU", eta_noise_seed_delta=31337)

    assert torch.equal(noise.first()[0], draws(7, 1)[0])
    assert torch.equal(noise.next()[0], draws(7 + 31337, 1)[0])


def test_a_variation_of_strength_one_is_the_subseeds_noise_and_of_zero_the_seeds() -> None:
    full = ImageNoise([7, 7], SHAPE, source="CPU", variation=Variation((20, 21), 1.0))
    none = ImageNoise([7, 7], SHAPE, source="CPU", variation=Variation((20, 21), 0.0))

    assert torch.allclose(full.first()[0], draws(20, 1)[0], atol=1e-5)
    assert torch.allclose(full.first()[1], draws(21, 1)[0], atol=1e-5)
    assert torch.equal(none.first()[0], draws(7, 1)[0])


def test_a_variation_leaves_the_later_stream_alone() -> None:
    noise = ImageNoise([7], SHAPE, source="CPU", variation=Variation((20,), 0.4))

    assert torch.equal(noise.next()[0], draws(7, 2)[1])


def test_slerp_interpolates_the_columns_on_the_sphere() -> None:
    low, high = torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)
    low[0, 0], high[0, 1] = 1, 1

    halfway = slerp(0.5, low, high)

    assert halfway.flatten().tolist() == pytest.approx([0.5**0.5, 0.5**0.5])


def test_slerp_of_nearly_parallel_noises_is_webuis_swapped_line() -> None:
    low = torch.ones(1, 3, 2)

    assert torch.allclose(slerp(0.25, low, 2 * low), low * 0.25 + 2 * low * 0.75)


def test_the_wrong_number_of_subseeds_or_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="1 subseeds for 2 seeds"):
        ImageNoise([1, 2], SHAPE, variation=Variation((3,), 0.5))
    with pytest.raises(ValueError, match="no seeds"):
        ImageNoise([], SHAPE)


def test_a_resized_seed_lies_in_the_middle_of_fresh_noise() -> None:
    small = draws(7, 1, shape=(4, 2, 4))[0]

    noise = ImageNoise([7], SHAPE, source="CPU", resize_from=(16, 32))

    expected = draws(7, 2)
    expected[0][:, 2:4, 2:6] = small
    assert torch.equal(noise.first()[0], expected[0])
    assert torch.equal(noise.next()[0], expected[1])


def test_a_larger_resized_seed_is_cropped_and_each_axis_goes_its_own_way() -> None:
    source = draws(7, 1, shape=(4, 10, 4))[0]

    noise = ImageNoise([7], SHAPE, source="CPU", resize_from=(80, 32)).first()[0]

    expected = draws(7, 1)[0]
    expected[:, :, 2:6] = source[:, 2:8]
    assert torch.equal(noise, expected)


@pytest.mark.parametrize("resize_from", [(0, 512), (-1, -1), (48, 64)])
def test_resizing_from_nothing_or_from_the_same_size_changes_nothing(resize_from: tuple[int, int]) -> None:
    noise = ImageNoise([7], SHAPE, source="CPU", resize_from=resize_from)

    assert torch.equal(noise.first()[0], draws(7, 1)[0])


@given(st.integers(0, 2**63), st.lists(st.floats(0.03, 14.6), min_size=2, max_size=6))
@settings(max_examples=15, deadline=None)
def test_our_brownian_tree_is_torchsdes(seed: int, times: list[float]) -> None:
    times = [float(torch.tensor(time)) for time in times]
    reference = torchsde.BrownianTree(t0=0.03, w0=torch.zeros(2, 3), t1=14.6, entropy=seed)
    ours = BrownianTree(
        0.03,
        14.6,
        seed=seed,
        normal=lambda node: torch.randn((2, 3), generator=torch.Generator().manual_seed(node)),
    )

    for start, end in pairwise(times):
        low, high = sorted((min(max(start, 0.03), 14.6), min(max(end, 0.03), 14.6)))
        assert torch.allclose(ours.increment(low, high), reference(low, high), atol=1e-5)


def test_brownian_noise_is_unit_noise_that_adds_up() -> None:
    sigmas = torch.tensor([14.6, 7.0, 2.0, 0.03, 0.0])
    shape = (4, 32, 32)
    brownian = BrownianNoise(ImageNoise([3], shape, source="NV"), sigmas)

    whole = brownian(sigmas[0], sigmas[2]) * (sigmas[0] - sigmas[2]).sqrt()
    parts = [brownian(a, b) * (a - b).sqrt() for a, b in ((sigmas[0], sigmas[1]), (sigmas[1], sigmas[2]))]

    assert torch.allclose(whole, parts[0] + parts[1], atol=1e-4)
    assert float(brownian(sigmas[1], sigmas[2]).std()) == pytest.approx(1, abs=0.06)
    assert torch.equal(brownian(sigmas[2], sigmas[1]), -brownian(sigmas[1], sigmas[2]))


def test_brownian_noise_of_an_image_is_its_seeds_and_leaves_its_stream_alone() -> None:
    sigmas = torch.tensor([14.6, 2.0, 0.03, 0.0])
    batch, alone = ImageNoise([3, 4], SHAPE, source="NV"), ImageNoise([4], SHAPE, source="NV")

    together, single = BrownianNoise(batch, sigmas), BrownianNoise(alone, sigmas)

    assert torch.equal(together(sigmas[0], sigmas[1])[1], single(sigmas[0], sigmas[1])[0])
    assert torch.equal(batch.first()[1], draws(4, 1, "NV")[0])


def test_brownian_noise_of_a_whole_batch_is_one_tree_with_the_seed_that_torch_draws_next() -> None:
    sigmas = torch.tensor([14.5, 2.0, 0.03125, 0.0])
    torch.manual_seed(4)
    entropy = int(torch.randint(0, 2**63 - 1, []))
    reference = torchsde.BrownianTree(t0=0.03125, w0=torch.zeros(2, *SHAPE), t1=14.5, entropy=entropy)

    ours = BrownianNoise(ImageNoise([3, 4], SHAPE, source="CPU"), sigmas, at_once=True)(sigmas[0], sigmas[1])

    expected = -reference(2.0, 14.5) / (sigmas[0] - sigmas[1]).sqrt()
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_the_next_seed_comes_after_the_small_noise_of_a_resized_seed() -> None:
    torch.manual_seed(9)
    torch.randn(SHAPE[0], 1, 1)
    after = int(torch.randint(0, 2**63 - 1, []))

    assert ImageNoise([9], SHAPE, source="CPU", resize_from=(8, 8)).following_seed() == after
    assert ImageNoise([9], SHAPE, source="NV", resize_from=(8, 8)).following_seed() != after


def test_brownian_noise_differs_by_source() -> None:
    sigmas = torch.tensor([14.6, 2.0, 0.03, 0.0])
    cpu, nv = (
        BrownianNoise(ImageNoise([3], SHAPE, source=source), sigmas)(sigmas[0], sigmas[1]) for source in SOURCES[1:]
    )

    assert not torch.allclose(cpu, nv)
