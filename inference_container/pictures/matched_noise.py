"""Noise that continues a picture: with its spectrum, its phases and its histogram (WebUI's Outpainting mk2)."""

from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
SEED = 0
"""As in WebUI, always: the noise depends on the picture alone."""
MASKED, KEPT = 1e-6, 1e-3
"""Above the first a pixel is masked, below the second one it is kept."""


def matched_noise(pixels: Doubles, mask: Doubles, *, exponent: float, color_variation: float) -> Doubles:
    """`pixels` (height, width, 3), 0 to 1, with noise where `mask` (height, width) is 1.

    Args:
        exponent: of the picture's spectrum; lower: more detail.
        color_variation: 0: grey noise, 1: independent channels.
    """
    veil = mask[:, :, None]

    # 1. Spectrum and phases of the picture, its masked part filled with the mean of all pixels.
    seen = pixels * (1 - veil)
    seen = seen / max(seen.max(), np.finfo(np.float64).tiny) + pixels.mean() * veil
    spectrum = _transform(seen)
    strength = np.abs(spectrum)
    phases = np.divide(spectrum, strength, out=np.zeros_like(spectrum), where=strength != 0)

    # 2. Noise, low frequencies first, shaped by these.
    noise = np.random.default_rng(SEED).random(pixels.shape)
    grey = noise.sum(axis=2, keepdims=True) / 3
    noise = noise * color_variation + (1 - color_variation) * grey
    noise = _back(_transform(noise) * _window(*mask.shape)[:, :, None])
    shaped = _back(np.abs(_transform(noise)) ** 2 * strength**exponent * phases)

    # 3. Its histograms become those of the kept pixels.
    shaped -= shaped.min()
    shaped /= max(shaped.max(), np.finfo(np.float64).tiny)
    masked, kept = mask > MASKED, mask < KEPT
    for channel in range(pixels.shape[2]):
        shaped[masked, channel] = _matched(shaped[masked, channel], pixels[kept, channel])
    result: Doubles = np.clip(pixels * (1 - veil) + shaped * veil, 0, 1)
    return result


def _transform(pixels: Doubles) -> npt.NDArray[np.complex128]:
    """The spectrum of each channel, lowest frequencies in the middle."""
    centred = np.fft.fftshift(pixels, axes=(0, 1))
    spectrum: npt.NDArray[np.complex128] = np.fft.ifftshift(
        np.fft.fft2(centred, axes=(0, 1), norm="ortho"), axes=(0, 1)
    )
    return spectrum


def _back(spectrum: npt.NDArray[Any]) -> Doubles:
    pixels = np.fft.ifft2(np.fft.fftshift(spectrum, axes=(0, 1)), axes=(0, 1), norm="ortho")
    return np.real(np.fft.ifftshift(pixels, axes=(0, 1)))


def _window(height: int, width: int) -> Doubles:
    """Weights of frequencies: a Lorentz curve along each axis, 1 in the middle, as wide on both."""
    shorter = min(height, width)
    rows, columns = ((np.arange(side) / side * 2 - 1) * (side / shorter) for side in (height, width))
    weights: Doubles = 1 / ((rows[:, None] ** 2 + 1) * (columns[None, :] ** 2 + 1))
    return weights


def _matched(values: Doubles, like: Doubles) -> Doubles:
    """Map `values` so that their cumulative histogram is that of `like`."""
    if not len(like):
        return values
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    levels, wanted = np.unique(like, return_counts=True)
    table = np.interp(np.cumsum(counts) / len(values), np.cumsum(wanted) / len(like), levels)
    return table[places]
