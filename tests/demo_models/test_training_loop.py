"""The training loop."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from demo_models.training import TIMING, Run, Schedule, Timing

torch.set_num_threads(1)


def start(folder: Path, *, steps: int) -> tuple[Run, nn.Module]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))
    schedule = Schedule(steps=steps, rate=0.01, muon_rate=0.02, warm_up=5, decay=0.5, average=0.9, save_every=10)
    return Run(module, schedule=schedule, folder=folder), module


def learn(run: Run, module: nn.Module, *, until: int | None = None) -> None:
    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if step == until:
            raise KeyboardInterrupt
        batch = torch.randn(16, 8, generator=generator)
        return {"loss": (module(batch) - batch.flip(1)).square().mean()}

    run.train(loss, name="toy")


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole, module = start(tmp_path / "whole", steps=40)
    learn(whole, module)
    broken, module = start(tmp_path / "broken", steps=40)
    with pytest.raises(KeyboardInterrupt):
        learn(broken, module, until=25)

    resumed, module = start(tmp_path / "broken", steps=40)
    assert resumed.step == 20
    learn(resumed, module)

    for name, value in whole.average.items():
        torch.testing.assert_close(resumed.average[name], value)


def test_training_learns_and_shows_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, module = start(tmp_path, steps=300)
    learn(run, module)
    run.load_average()

    batch = torch.randn(64, 8)
    assert (module(batch) - batch.flip(1)).square().mean() < 0.3
    assert "toy 300/300 loss" in capsys.readouterr().out


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    run, module = start(tmp_path, steps=20)
    learn(run, module)

    again, module = start(tmp_path, steps=20)
    learn(again, module, until=20)

    assert again.finished


@pytest.mark.parametrize(("step", "factor"), [(0, 0.005), (199, 1.0), (699, 1.0), (850, 0.5), (1000, 0.0)])
def test_the_rate_rises_stays_and_falls(step: int, factor: float) -> None:
    schedule = Schedule(steps=1000, rate=1.0, warm_up=200, decay=0.3)

    assert schedule.factor(step) == pytest.approx(factor, abs=0.01)


def test_a_run_that_is_timed_makes_steps_of_its_whole_schedule_and_counts_them_all(tmp_path: Path) -> None:
    run, module = start(tmp_path, steps=100)
    steps = []

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        steps.append(step)
        return {"loss": module(torch.randn(4, 8, generator=generator)).square().mean()}

    timing = Timing(4)
    token = TIMING.set(timing)
    run.train(loss, name="toy")
    TIMING.reset(token)

    assert steps == [0, 0, 25, 50, 75]
    assert run.finished
    assert timing.wanted > 0
    assert timing.told[0].startswith("toy 100 x ")
