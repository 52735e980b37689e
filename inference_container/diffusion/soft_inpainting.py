"""Soft inpainting: blends latents by a soft mask in every call and measures changes per cell (semantics §2.13)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from generate_on_cloud.contract.scripts import SoftInpainting

Doubles = npt.NDArray[np.float64]
Cells = npt.NDArray[np.float32]
"""Shape (h, w)."""

KERNEL_RADIUS, KERNEL_WIDTH = 2, 1.5
"""In cells: the radius at which the filters' weights end, and the width of their decline."""


@dataclass(frozen=True)
class SoftBlend:
    """A `MaskBlend` whose mask fades in as the noise decreases."""

    settings: SoftInpainting
    init_latent: Tensor
    """(B or 1, 4, h, w), without noise."""
    repaint: Tensor
    """(h, w): from 0, where `init_latent` is kept, to 1, where the model paints."""

    def at(self, painted: Tensor, level: Tensor) -> Tensor:
        """The blend at σ (or timestep) `level`; it preserves the length of each cell's vector."""
        exponent = float(level) ** self.settings.schedule_bias * self.settings.preservation_strength
        weight = self.repaint**exponent
        mixed = self.init_latent * (1 - weight) + painted * weight
        power, wide = self.settings.transition_contrast_boost, weight.double()
        wanted = (_lengths(self.init_latent) ** power * (1 - wide) + _lengths(painted) ** power * wide) ** (1 / power)
        scaled: Tensor = mixed * (wanted / (_lengths(mixed) + 1e-5)).to(mixed.dtype)
        return scaled

    def finish(self, painted: Tensor) -> Tensor:
        """Return `painted` unchanged; finished latents are not blended."""
        return painted


def change_masks(settings: SoftInpainting, *, repaint: Tensor, before: Tensor, after: Tensor) -> list[Cells]:
    """For each picture in `after` (B,4,h,w), how much of the result is visible in each cell, 0–1.

    `before` are the init latents (B or 1, 4, h, w), `repaint` is the soft mask (h, w).
    """
    half_way = settings.difference_threshold * _tolerance(settings, repaint)
    distances = torch.linalg.vector_norm(after - before.to(after), dim=1).float().cpu().numpy()
    return [_change(settings, distance, half_way) for distance in distances]


def weighted_window_mean(cells: Cells, *, low: float, high: float, width: float = 1.0) -> Cells:
    """The weighted mean of each cell's neighbours between two quantiles (0–1) of their weights.

    `width` is the minimum weight between the two. (0, 1) gives a blur, (1, 1) roughly a maximum.
    """
    kernel = _kernel()
    values, weights = _neighbours(cells.astype(np.float64)), _neighbours(np.ones(cells.shape)) * kernel.ravel()
    order = np.argsort(values, axis=2, kind="stable")
    values, weights = np.take_along_axis(values, order, 2), np.take_along_axis(weights, order, 2)
    ends = np.cumsum(weights, axis=2)
    begins = ends - weights
    total = ends[:, :, -1]
    first, last = total * low, total * high
    centre = (first + last) / 2
    narrow = last - first < width
    first, last = np.where(narrow, centre - width / 2, first), np.where(narrow, centre + width / 2, last)
    beyond = narrow & (last > total)
    first, last = np.where(beyond, total - width, first), np.where(beyond, total, last)
    below = narrow & (first < 0)
    first, last = np.where(below, 0, first), np.where(below, width, last)
    share = np.clip(np.minimum(last[:, :, None], ends) - np.maximum(first[:, :, None], begins), 0, None)
    mean: Cells = ((values * share).sum(axis=2) / share.sum(axis=2)).astype(np.float32)
    return mean


def _lengths(latents: Tensor) -> Tensor:
    """Vector lengths (B,1,h,w), in double precision so that high powers do not overflow."""
    lengths: Tensor = torch.linalg.vector_norm(latents, dim=1, keepdim=True).double()
    return lengths


def _tolerance(settings: SoftInpainting, repaint: Tensor) -> Cells:
    """The factor for each cell's threshold; about 1 everywhere if the mask has no influence."""
    kept = 1 - repaint.float().clamp(0, 1) ** (settings.preservation_strength / 2)
    mixed = 0.5 * (1 - settings.mask_influence) + kept * settings.mask_influence
    tolerance: Cells = (mixed / (1.00001 - mixed)).cpu().numpy()
    return tolerance


def _change(settings: SoftInpainting, distance: Cells, half_way: Cells) -> Cells:
    grown = weighted_window_mean(distance, low=0.9, high=1)
    smooth = weighted_window_mean(grown, low=0.25, high=0.75)
    # With a threshold of 0, any change is fully visible; without a change nothing is.
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.nan_to_num(smooth / half_way, nan=0, posinf=np.inf)
        kept = 1 / (1 + relative**settings.difference_contrast)
    change: Cells = 1 - kept * kept * kept * (kept * (6 * kept - 15) + 10)
    return change


def _kernel() -> Doubles:
    """A Gaussian with value 1 in the middle, shifted down so that it reaches 0 one cell beyond its radius."""
    steps = np.arange(-KERNEL_RADIUS, KERNEL_RADIUS + 1.0)
    gauss = np.exp(-(steps[:, None] ** 2 + steps[None, :] ** 2) / KERNEL_WIDTH**2)
    floor = np.exp(-((KERNEL_RADIUS + 1.0) ** 2) / KERNEL_WIDTH**2)
    kernel: Doubles = np.maximum((gauss - floor) / (1 - floor), 0)
    return kernel


def _neighbours(cells: Doubles) -> Doubles:
    """(h, w, n): the neighbourhood of every cell, 0 beyond the edges."""
    size = 2 * KERNEL_RADIUS + 1
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(cells, KERNEL_RADIUS), (size, size))
    return windows.reshape(*cells.shape, size * size)
