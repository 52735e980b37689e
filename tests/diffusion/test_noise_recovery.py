"""Noise found in a picture: Euler's method backwards, with a UNet whose answers can be written down."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.samplers import choose_sampler
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise import ImageNoise
from inference_container.diffusion.noise_recovery import RecoveredNoise, planned_recovery_calls, recover_noise
from inference_container.diffusion.noise_schedule import NoiseSchedule
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, sample
from tests.diffusion.toy_models import FormulaUNet, ToyModel, prompt, stable_diffusion_alphas

SHAPE = (4, 8, 8)
PICTURE = torch.linspace(-1, 1, 256).reshape(1, *SHAPE)
GUIDANCE = Guidance(cond=(prompt(0.05),), uncond=(prompt(-0.02),), cfg_scale=2.0)
GUIDED = -0.02 + 2 * (0.05 + 0.02)
"""What both prompts together add to the UNet's answer."""


def request(sampler: str = "Euler", *, steps: int = 20) -> SamplingRequest:
    noise = ImageNoise((5,), SHAPE, source="CPU")
    return SamplingRequest(choose_sampler(sampler, None), steps, GUIDANCE, noise)


def record(wanted: SamplingRequest) -> tuple[Tensor, list[DenoiserCall]]:
    calls: list[DenoiserCall] = []
    return sample(ToyModel(FormulaUNet()), wanted, recorder=calls.append), calls


def expected(steps: int, *, adjusted: bool, prediction: str) -> Tensor:
    """The same by hand: the UNet answers GUIDED + 0.1·input."""
    levels = NoiseSchedule(stable_diffusion_alphas()).uniform(steps).flip(0)
    x = PICTURE
    for low, high in pairwise(levels):
        level = low if adjusted else high
        answer = GUIDED + 0.1 * x / (level**2 + 1) ** 0.5
        slope = answer if prediction == "epsilon" else answer / (level**2 + 1) ** 0.5
        if level > 0:
            x = x + slope * (high - low)
    return x / levels[-1] if adjusted else x / x.std()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_each_step_adds_the_noise_that_the_model_sees(steps: int, adjusted: bool, prediction: str) -> None:
    model: Any = replace(ToyModel(FormulaUNet()), prediction_type=prediction)
    counted: list[int] = []

    noise = recover_noise(model, PICTURE, GUIDANCE, steps=steps, adjusted=adjusted, on_call=counted.append)

    assert torch.allclose(noise, expected(steps, adjusted=adjusted, prediction=prediction), atol=1e-5)
    assert len(counted) == planned_recovery_calls(steps, adjusted=adjusted)


def test_the_variance_is_that_of_the_whole_batch() -> None:
    alone, batch = (
        recover_noise(ToyModel(FormulaUNet()), PICTURE, GUIDANCE, steps=3, adjusted=False, copies=copies)
        for copies in (1, 4)
    )

    count = PICTURE.numel()
    ratio = ((count - 1) * 4 / (4 * count - 1)) ** -0.5
    assert torch.allclose(batch, alone * ratio, atol=1e-5)
    assert float(batch.repeat(4, 1, 1, 1).std()) == pytest.approx(1)


@pytest.mark.parametrize("randomness", [0.0, 0.25, 1.0])
def test_sampling_starts_from_the_found_noise_in_place_of_the_seeds(randomness: float) -> None:
    found = torch.full_like(PICTURE, 0.5)

    _, calls = record(started(request(), randomness, found))

    share = (randomness**2 + (1 - randomness) ** 2) ** 0.5
    mixed = ((1 - randomness) * found + randomness * ImageNoise([5], SHAPE, source="CPU").first()) / share
    highest = float(calls[0].level)
    assert torch.allclose(calls[0].x, PICTURE + (mixed - PICTURE / 14.614642) * highest, atol=1e-4)


def test_the_samplers_own_noise_begins_with_the_initial_noise_of_the_seeds() -> None:
    at_once = started(request("Euler a", steps=2), 0.0, torch.zeros_like(PICTURE))
    handed: list[Tensor] = []

    class Watched(ImageNoise):
        def next(self) -> Tensor:
            handed.append(super().next())
            return handed[-1]

    sample(ToyModel(FormulaUNet()), replace(at_once, noise=Watched((5,), SHAPE, source="CPU")))

    # Two steps need one noise, which `first` gives.
    assert handed == []


def test_kept_parts_of_a_picture_are_blended_at_every_call_and_not_once_more() -> None:
    # This sampler ends at the smallest noise level, above 0, where one more blend shows.
    kept = ImageStart(PICTURE, 1.0, repaint=torch.zeros_like(PICTURE[:, :1]))
    plain = replace(request("DPM fast", steps=3), start=kept)

    usual, _ = record(plain)
    found, _ = record(replace(plain, start=replace(kept, recovered=RecoveredNoise(PICTURE, 0.0))))

    assert torch.equal(usual, PICTURE)
    assert not torch.equal(found, PICTURE)
    assert torch.allclose(found, PICTURE, atol=0.2)


def started(asked: SamplingRequest, randomness: float, found: Tensor) -> SamplingRequest:
    """`asked` from the picture, with this noise found in it."""
    return replace(asked, start=ImageStart(PICTURE, 1.0, recovered=RecoveredNoise(found, randomness)))
