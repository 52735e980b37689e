"""Brownian motion over σ, one tree per image, as noise for the SDE samplers (semantics §2.7).

It is built like torchsde's BrownianTree (halving intervals, a seed per node from numpy's SeedSequence), so the numbers
are equal. It is our own code because the normal numbers must come from the request's random source.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from inference_container.diffusion.noise import ImageNoise, draws_of

_DIGITS = 6
_POOL_SIZE = 24
_CACHED_NODES = 64


class _Node:
    """The interval [start, end] of a tree, split into halves once a part of it is requested."""

    __slots__ = ("depth", "end", "key", "left", "middle", "right", "start")

    def __init__(self, start: float, end: float, *, key: int, depth: int) -> None:
        self.start, self.end = round(start, _DIGITS), round(end, _DIGITS)
        self.key, self.depth = key, depth
        self.middle: float | None = None
        self.left: _Node | None = None
        self.right: _Node | None = None

    def halves(self) -> "tuple[_Node, _Node]":
        if self.left is None or self.right is None:
            middle = 0.5 * (self.end + self.start)
            self.middle = round(middle, _DIGITS)
            self.left = _Node(self.start, middle, key=2 * self.key, depth=self.depth + 1)
            self.right = _Node(middle, self.end, key=2 * self.key + 1, depth=self.depth + 1)
        return self.left, self.right


class BrownianTree:
    """W over [low, high] for one image; increments do not depend on the order of the calls."""

    def __init__(self, low: float, high: float, *, seed: int, normal: Callable[[int], Tensor]) -> None:
        """`normal` returns the unit normal tensor for a 32-bit seed."""
        self._seed, self._normal = seed, normal
        self._root = _Node(low, high, key=0, depth=0)
        root_seed = int(np.random.SeedSequence(entropy=seed, pool_size=_POOL_SIZE).generate_state(1)[0])
        self._total = normal(root_seed) * math.sqrt(high - low)
        self._increments: OrderedDict[_Node, Tensor] = OrderedDict()

    def increment(self, start: float, end: float) -> Tensor:
        """W(end) - W(start) for start ≤ end; times outside the tree are clamped to its ends."""
        low, high = (min(max(t, self._root.start), self._root.end) for t in (start, end))
        if low == high:
            return torch.zeros_like(self._total)
        return self._between(self._root, self._total, round(low, _DIGITS), round(high, _DIGITS))

    def _between(self, node: _Node, total: Tensor, low: float, high: float) -> Tensor:
        if low >= high:
            return torch.zeros_like(total)
        if low == node.start and high == node.end:
            return total
        left, right = node.halves()
        left_total = self._left_increment(node, left, total)
        if high <= left.end:
            return self._between(left, left_total, low, high)
        if low >= right.start:
            return self._between(right, total - left_total, low, high)
        return self._between(left, left_total, low, left.end) + self._between(
            right, total - left_total, right.start, high
        )

    def _left_increment(self, node: _Node, left: _Node, total: Tensor) -> Tensor:
        """Brownian bridge at the middle of the node."""
        known = self._increments.get(node)
        if known is not None:
            self._increments.move_to_end(node)
            return known
        entropy = np.random.SeedSequence(
            entropy=self._seed, spawn_key=(node.key, node.depth), pool_size=_POOL_SIZE
        ).generate_state(1)
        before, after = left.end - node.start, node.end - left.end
        part = 1 / (node.end - node.start)
        found = before * total * part + math.sqrt(before * after * part) * self._normal(int(entropy[0]))
        self._increments[node] = found
        if len(self._increments) > _CACHED_NODES:
            self._increments.popitem(last=False)
        return found


class BrownianNoise:
    """Unit noise for the step between two σ's, from one tree per image; does not advance the images' generators."""

    def __init__(self, noise: ImageNoise, sigmas: Tensor, *, at_once: bool = False) -> None:
        """Build trees over the positive range of the full schedule `sigmas`, with the seeds and source of `noise`.

        `at_once`: one tree for the whole batch, as k-diffusion builds it by itself.
        """
        positive = sigmas[sigmas > 0]
        low, high = float(positive.min()), float(positive.max())

        shape = (len(noise.seeds), *noise.shape) if at_once else noise.shape

        def normal(seed: int) -> Tensor:
            return draws_of(seed, source=noise.source, device=noise.device)(shape)

        seeds = (noise.following_seed(),) if at_once else noise.seeds
        self._trees = tuple(BrownianTree(low, high, seed=seed, normal=normal) for seed in seeds)
        self._join = torch.cat if at_once else torch.stack

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """(W(σ_next) - W(σ)) / sqrt|σ_next - σ|, float32 (B,C,h,w)."""
        start, end = float(sigma), float(sigma_next)
        sign = -1 if start > end else 1
        low, high = min(start, end), max(start, end)
        moved: Tensor = self._join([tree.increment(low, high) for tree in self._trees])
        return moved * sign / (sigma_next - sigma).abs().sqrt()
