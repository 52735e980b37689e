"""Distinguishes a moon from the judge's shapes, in scenes of one thing, by a linear fit on the judge's features."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo_models.judge import Judge, blemish
from demo_models.scenes import draw_scenes
from demo_models.variants.networks import draw_moons, moon_renderer

RENDERS = 2_000
"""Number of renders of each kind."""


class MoonDetector:
    """Each constructor call fits the detector within seconds; measure it before relying on it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        renderer = moon_renderer()
        kinds = (draw_moons(seed=41, split="train", things=1), draw_scenes(seed=41, split="train", things=1))
        pictures = torch.cat([renderer.render(list(itertools.islice(kind, RENDERS))) for kind in kinds])
        generator = torch.Generator().manual_seed(41)
        order = torch.randperm(2 * RENDERS, generator=generator)
        parts = [blemish(part.float() / 127.5 - 1, generator) for part in torch.split(pictures[order], 100)]
        features = torch.cat([self._look(part) for part in parts])
        self._middle, self._spread = features.mean(0), features.std(0) + 1e-3
        with torch.random.fork_rng():
            torch.manual_seed(41)
            self._line = nn.Linear(features.shape[1], 1)
        answers = (order < RENDERS).float()[:, None]
        self._fit((features - self._middle) / self._spread, answers)

    def _fit(self, features: Tensor, answers: Tensor) -> None:
        optimiser = torch.optim.LBFGS(self._line.parameters(), max_iter=60, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            wrong = functional.binary_cross_entropy_with_logits(self._line(features), answers)
            total = wrong + 1e-3 * self._line.weight.square().sum()
            total.backward()  # type: ignore[no-untyped-call]
            return total

        optimiser.step(loss)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def _look(self, pictures: Tensor) -> Tensor:
        # Features before the judge's last layers, which keep only what the judge's questions need.
        features: Tensor = self._judge.body[:-2](pictures)
        return features

    @torch.no_grad()
    def find(self, pictures: Tensor) -> Tensor:
        """Whether each of the uint8 pictures, shape (count, 3, 64, 64), shows a moon: bool, shape (count,)."""
        parts = [self._look(part.float() / 127.5 - 1) for part in torch.split(pictures, 256)]
        found: Tensor = self._line((torch.cat(parts) - self._middle) / self._spread)[:, 0] > 0
        return found
