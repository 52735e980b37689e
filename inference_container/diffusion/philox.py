"""NVIDIA's counter-based random numbers in software: equal to torch's on CUDA, on any machine (semantics §2.7)."""

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW_WORD = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_UNIT = np.float64(np.float32(2.3283064e-10))
_CIRCLE = np.float64(np.float32(2.3283064e-10 * 6.2831855))


def _philox(counter: tuple[int, int], elements: int, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The first two output words of Philox 4x32-10 for the counters (counter, element index, 0)."""
    c0 = np.full(elements, counter[0], dtype=np.uint64)
    c1 = np.full(elements, counter[1], dtype=np.uint64)
    c2 = np.arange(elements, dtype=np.uint64)
    c3 = np.zeros(elements, dtype=np.uint64)
    key = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    for _ in range(_ROUNDS):
        left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> _WORD) ^ c1 ^ np.uint64(key[0]),
            right & _LOW_WORD,
            (left >> _WORD) ^ c3 ^ np.uint64(key[1]),
            left & _LOW_WORD,
        )
        key = [(word + weyl) & 0xFFFFFFFF for word, weyl in zip(key, _WEYL, strict=True)]
    return c0, c1


class PhiloxGenerator:
    """The stream of one seed; as on CUDA, each draw advances the counter by one, whatever its size."""

    def __init__(self, seed: int) -> None:
        self._seed = seed % 2**64
        self._draws = 0

    def randn(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Standard normal numbers of this shape, by Box–Muller."""
        elements = int(np.prod(shape))
        counter = (self._draws & 0xFFFFFFFF, self._draws >> 32)
        self._draws += 1
        first, second = _philox(counter, elements, self._seed)
        radius = np.sqrt(-2 * np.log(first * _UNIT + _UNIT / 2))
        normal: NDArray[np.float64] = radius * np.sin(second * _CIRCLE + _CIRCLE / 2)
        return normal.astype(np.float32).reshape(shape)
