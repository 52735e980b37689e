"""Soft inpainting beside its formulas (semantics §2.13), worked out cell by cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.scripts import LABELS, SoftInpainting, read_soft_inpainting
from inference_container.diffusion.soft_inpainting import Cells, SoftBlend, change_masks, weighted_window_mean

INIT = torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(1))
PAINTED = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(2))


def test_a_cell_is_blended_by_the_faded_mask_and_keeps_its_magnitude() -> None:
    blend = SoftBlend(SoftInpainting(2, 0.3, 3), INIT, torch.full((6, 5), 0.6))

    blended = blend.at(PAINTED, torch.tensor(1.5))

    weight = 0.6 ** (1.5**2 * 0.3)
    old, new = INIT[0, :, 2, 3].tolist(), PAINTED[1, :, 2, 3].tolist()
    mixed = [a * (1 - weight) + b * weight for a, b in zip(old, new, strict=True)]
    wanted = (math.hypot(*old) ** 3 * (1 - weight) + math.hypot(*new) ** 3 * weight) ** (1 / 3)
    expected = [value * wanted / (math.hypot(*mixed) + 1e-5) for value in mixed]
    assert blended[1, :, 2, 3].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("mask", "stays"), [(0.0, INIT), (1.0, PAINTED)])
def test_hard_cells_are_wholly_the_ones_or_the_others(mask: float, stays: torch.Tensor) -> None:
    blend = SoftBlend(SoftInpainting(), INIT, torch.full((6, 5), mask))

    assert torch.allclose(blend.at(PAINTED, torch.tensor(3.0)), stays.expand(2, -1, -1, -1), atol=1e-3)


def test_a_soft_mask_fades_in_as_the_noise_falls_and_nothing_is_laid_over_the_end() -> None:
    blend = SoftBlend(SoftInpainting(), torch.zeros_like(INIT), torch.full((6, 5), 0.5))

    shares = [blend.at(PAINTED, torch.tensor(sigma)).norm() for sigma in (14.0, 3.0, 0.5, 0.03)]

    assert shares == sorted(shares)
    assert blend.finish(PAINTED) is PAINTED


def window_mean(cells: Cells, y: int, x: int, low: float, high: float) -> float:
    """The filter's rule for one cell, neighbour by neighbour."""
    floor = math.exp(-9 / 2.25)
    stack = sorted(
        (float(cells[y + dy, x + dx]), max(0.0, (math.exp(-(dx * dx + dy * dy) / 2.25) - floor) / (1 - floor)))
        for dy in range(-2, 3)
        for dx in range(-2, 3)
        if 0 <= y + dy < cells.shape[0] and 0 <= x + dx < cells.shape[1]
    )
    total = sum(weight for _, weight in stack)
    first, last = total * low, total * high
    if last - first < 1:
        middle = (first + last) / 2
        first, last = middle - 0.5, middle + 0.5
        if last > total:
            first, last = total - 1, total
        if first < 0:
            first, last = 0, 1
    mean = share = begin = 0.0
    for value, weight in stack:
        overlap = max(0.0, min(last, begin + weight) - max(first, begin))
        mean, share, begin = mean + value * overlap, share + overlap, begin + weight
    return mean / share


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 99),
    window=st.sampled_from([(0.9, 1.0), (0.25, 0.75), (0.0, 0.1)]),
)
def test_the_filter_is_the_mean_of_a_window_of_the_neighbours(
    height: int, width: int, seed: int, window: tuple[float, float]
) -> None:
    cells = np.random.default_rng(seed).random((height, width), dtype=np.float32)

    filtered = weighted_window_mean(cells, low=window[0], high=window[1])

    expected = [[window_mean(cells, y, x, *window) for x in range(width)] for y in range(height)]
    assert np.allclose(filtered, expected, rtol=1e-5)


def test_what_did_not_change_shows_the_original_and_what_changed_much_the_result() -> None:
    before = torch.zeros(1, 4, 6, 16)
    after = before.clone()
    after[:, :, :, 10:] += 10

    (mask,) = change_masks(SoftInpainting(), repaint=torch.ones(6, 16), before=before, after=after)

    assert mask[:, :6].max() == 0
    assert mask[:, 10:].min() > 0.99


@pytest.mark.parametrize("changed", [SoftInpainting(difference_threshold=0), SoftInpainting(mask_influence=1)])
def test_extreme_settings_still_give_numbers(changed: SoftInpainting) -> None:
    repaint = torch.zeros(6, 5)
    repaint[:, 3:] = 1

    masks = change_masks(changed, repaint=repaint, before=INIT, after=torch.cat([INIT, PAINTED[:1]]))

    assert all(np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1 for mask in masks)


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ({}, None),
        ({"Soft Inpainting": {"args": []}}, None),
        ({"Soft Inpainting": {"args": [False, 2]}}, None),
        ({"soft inpainting": {"args": [True]}}, SoftInpainting()),
        ({"SOFT INPAINTING": {"args": [True, 2, 0.25, 8, 1, 1.5, 3]}}, SoftInpainting(2, 0.25, 8, 1, 1.5, 3)),
        ({"soft inpainting": {"args": [{}]}}, SoftInpainting()),
        ({"soft inpainting": {"args": [{"Soft inpainting": False}]}}, None),
        (
            {"soft inpainting": {"args": [{"Soft inpainting": True, "Schedule bias": 3, "Difference contrast": 1}]}},
            SoftInpainting(schedule_bias=3, difference_contrast=1),
        ),
    ],
)
def test_the_script_is_read_from_a_request(scripts: dict[str, object], expected: SoftInpainting | None) -> None:
    assert read_soft_inpainting(scripts) == expected


@pytest.mark.parametrize(
    ("scripts", "reason"),
    [
        ({"Soft Inpainting": {}, "soft inpainting": {}}, "received Soft Inpainting 2 times"),
        ({"Soft Inpainting": []}, "received []"),
        ({"Soft Inpainting": {"args": [True, 1, 2, 3, 0, 0, 0, 0]}}, "allowed"),
        ({"Soft Inpainting": {"args": ["yes"]}}, "received 'yes' for enabled"),
        ({"Soft Inpainting": {"args": [{"Bias": 1}]}}, "received ['Bias']; allowed: Soft inpainting, Schedule bias, "),
        ({"Soft Inpainting": {"args": [{"Schedule bias": 9}]}}, f"{LABELS[0]}: received 9; allowed: 0 to 8"),
        ({"Soft Inpainting": {"args": [True, 9]}}, f"{LABELS[0]}: received 9; allowed: 0 to 8"),
        ({"Soft Inpainting": {"args": [True, 1, 0.5, True]}}, f"{LABELS[2]}: received True; allowed: 1 to 32"),
        ({"Soft Inpainting": {"args": [True, float("nan")]}}, "received nan"),
    ],
)
def test_what_is_no_such_script_is_refused(scripts: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        read_soft_inpainting(scripts)

    assert reason in str(refused.value)
