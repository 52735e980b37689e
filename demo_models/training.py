"""The training loop of every demo model: Muon and AdamW, constant rate then decay, averaged weights, resumable."""

import math
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

Loss = Callable[[int, torch.Generator], dict[str, Tensor]]
"""(step, random generator for it) → named terms; the one called `loss` is minimised, the others are only shown."""


@dataclass(frozen=True)
class Schedule:
    steps: int
    rate: float
    """Learning rate of AdamW; Muon uses `muon_rate`."""
    muon_rate: float = 0.0
    """Learning rate of Muon; 0 trains everything with AdamW."""
    warm_up: int = 200
    decay: float = 0.3
    """The last fraction of the steps, over which the rate falls to zero."""
    average: float = 0.999
    save_every: int = 100
    show_every: int = 25
    seed: int = 0

    def factor(self, step: int) -> float:
        """Fraction of the full rate at this step: linear up, constant, then a half cosine down."""
        rise = min(1.0, (step + 1) / self.warm_up)
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return rise * (1.0 if left >= 1 else 0.5 - 0.5 * math.cos(math.pi * left))


@dataclass
class Timing:
    """Estimates how long training takes on this machine, from some steps spread over the schedule."""

    steps: int
    spent: float = 0.0
    """Seconds of the steps that were run."""
    wanted: float = 0.0
    """Seconds that all steps would take."""
    told: list[str] = field(default_factory=list)
    """Name, number of steps and seconds per step of each run."""

    def measure(self, run: "Run", loss: Loss, *, name: str) -> None:
        """Run the first step, which is slower, then `steps` others; the run then counts as finished."""
        generator = torch.Generator()
        total = run.schedule.steps
        began = time.monotonic()
        run.make_step(loss, generator)
        first = time.monotonic() - began
        for number in range(self.steps):
            run.step = total * number // self.steps
            run.make_step(loss, generator)
        self.spent += time.monotonic() - began
        each = (time.monotonic() - began - first) / self.steps
        self.wanted += each * total
        self.told.append(f"{name} {total} x {each:.2f} s")
        run.step = total
        run.save()


TIMING: ContextVar[Timing | None] = ContextVar("TIMING", default=None)
"""If set, runs are timed and not trained."""


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by five Newton-Schulz steps (Jordan et al. 2024), for matrices and kernels."""

    def __init__(self, parameters: list[nn.Parameter], *, rate: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        del closure
        by_shape: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
        group = self.param_groups[0]
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            update = parameter.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
            by_shape.setdefault((update.shape[0], update.shape[1]), []).append((parameter, update))
        for (rows, columns), pairs in by_shape.items():
            updates = _orthogonalise(torch.stack([update for _, update in pairs]))
            scale = max(1.0, rows / columns) ** 0.5
            for (parameter, _), update in zip(pairs, updates, strict=True):
                parameter.mul_(1 - group["lr"] * 0.01)
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)


def _orthogonalise(matrices: Tensor) -> Tensor:
    """Approximately U·Vᵀ of each matrix U·S·Vᵀ, shape (count, rows, columns)."""
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    orthogonal: Tensor = (x.mT if tall else x).float()
    return orthogonal


class Run:
    """One model in training: its weights, their average, its optimisers and its position in the schedule."""

    def __init__(self, module: nn.Module, *, schedule: Schedule, folder: Path) -> None:
        self.module = module
        self.schedule = schedule
        self.folder = folder
        self.step = 0
        self.average = {name: value.detach().clone() for name, value in module.state_dict().items()}
        kernels: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in module.named_parameters():
            wide = parameter.ndim >= 2 and min(parameter.flatten(1).shape) > 4 and "embedding" not in name
            (kernels if wide and schedule.muon_rate else others).append(parameter)
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=schedule.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        ]
        if kernels:
            self.optimisers.append(Muon(kernels, rate=schedule.muon_rate))
        self._full_rates = [optimiser.param_groups[0]["lr"] for optimiser in self.optimisers]
        if self._file.exists():
            self._resume()

    @property
    def _file(self) -> Path:
        return self.folder / "run.pt"

    @property
    def finished(self) -> bool:
        return self.step >= self.schedule.steps

    def _resume(self) -> None:
        saved = torch.load(self._file, weights_only=True)
        self.module.load_state_dict(saved["module"])
        self.average = saved["average"]
        self.step = saved["step"]
        for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)

    def save(self) -> None:
        """Write everything needed to resume from here, atomically."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._file.with_suffix(".part")
        torch.save(
            {
                "module": self.module.state_dict(),
                "average": self.average,
                "step": self.step,
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            },
            unfinished,
        )
        unfinished.replace(self._file)

    def load_average(self) -> None:
        """Put the averaged weights into the module, for use after training."""
        self.module.load_state_dict(self.average)

    def train(self, loss: Loss, *, name: str) -> None:
        """Train until the schedule's last step; saves and shows progress on the way."""
        self.module.train()
        if (timing := TIMING.get()) is not None:
            timing.measure(self, loss, name=name)
            return
        shown: dict[str, float] = {}
        began, first = time.monotonic(), self.step
        generator = torch.Generator()
        while not self.finished:
            terms = self.make_step(loss, generator)
            for key, term in terms.items():
                shown[key] = 0.98 * shown.get(key, term.item()) + 0.02 * term.item()
            if self.step % self.schedule.show_every == 0 or self.finished:
                spent = time.monotonic() - began
                left = spent / (self.step - first) * (self.schedule.steps - self.step)
                figures = " ".join(f"{key} {value:.4f}" for key, value in shown.items())
                sys.stdout.write(f"{name} {self.step}/{self.schedule.steps} {figures} {spent:.0f}s left {left:.0f}s\n")
                sys.stdout.flush()
            if self.step % self.schedule.save_every == 0 or self.finished:
                self.save()

    def make_step(self, loss: Loss, generator: torch.Generator) -> dict[str, Tensor]:
        """Run one step of the optimisers and of the average; returns the terms of its loss."""
        generator.manual_seed(self.schedule.seed * 1_000_003 + self.step)
        factor = self.schedule.factor(self.step)
        for optimiser, rate in zip(self.optimisers, self._full_rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor
        terms = loss(self.step, generator)
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        keep = min(self.schedule.average, self.step / (self.step + 10))
        for key, value in self.module.state_dict().items():
            self.average[key].lerp_(value, 1 - keep) if value.is_floating_point() else self.average[key].copy_(value)
        return terms
