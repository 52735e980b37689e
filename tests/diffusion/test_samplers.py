"""The solvers against a denoiser whose flow is known in closed form."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice, Schedule
from inference_container.diffusion.noise_schedule import NoiseSchedule
from inference_container.diffusion.samplers.dpm_solver import fast_orders
from inference_container.diffusion.samplers.heun import restart_steps
from inference_container.diffusion.samplers.lms import multistep_coefficients
from inference_container.diffusion.samplers.run import (
    SamplerOptions,
    SamplerRun,
    UniPcSkipType,
    UniPcVariant,
    ancestral_step,
)
from inference_container.diffusion.samplers.table import SAMPLER_FUNCTIONS
from inference_container.diffusion.schedules import sigmas_for, timesteps_for
from inference_container.drawing.sampling_record import NOTES
from tests.diffusion.toy_models import GaussianDenoiser, GaussianNoisePredictor, stable_diffusion_alphas

TRAINED = NoiseSchedule(stable_diffusion_alphas())
START = torch.linspace(-2, 2, 16).reshape(1, 1, 4, 4)
SIGMA_SAMPLERS = [name for name, rule in SAMPLERS.items() if not rule.timestep]
FOLLOW_THE_FLOW_AT_ETA_ZERO = [
    *(name for name in SIGMA_SAMPLERS if name not in ("Restart", "LCM", "DPM adaptive")),
    *("DDIM", "DDIM CFG++", "PLMS", "UniPC"),
]


@dataclass
class CountingNoise:
    """Zeros, and a count of how often somebody asked."""

    shape: torch.Size
    value: float = 0.0
    asked: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, level: Tensor, level_next: Tensor) -> Tensor:
        self.asked.append((float(level), float(level_next)))
        return torch.full(self.shape, self.value)


@dataclass
class Outcome:
    latents: Tensor
    denoiser: GaussianDenoiser
    noise: CountingNoise
    run: SamplerRun
    x: Tensor


def levels_of(sampler: str, steps: int) -> Tensor:
    if SAMPLERS[sampler].timestep:
        return timesteps_for(steps, TRAINED)
    if SAMPLER_FUNCTIONS[sampler].range_only:
        return torch.linspace(TRAINED.sigma_max, TRAINED.sigma_min, steps + 1)
    return sigmas_for(SamplerChoice(sampler, Schedule.KARRAS), steps, TRAINED)


def run_sampler(
    sampler: str,
    steps: int,
    options: SamplerOptions | None = None,
    *,
    unit_noise: float = 0.0,
    from_image: bool = False,
    levels: Tensor | None = None,
) -> Outcome:
    timestep = SAMPLERS[sampler].timestep
    levels = levels_of(sampler, steps) if levels is None else levels
    denoiser = GaussianNoisePredictor(TRAINED.alphas_cumprod) if timestep else GaussianDenoiser()
    x = START if timestep else START * levels[0]
    noise = CountingNoise(x.shape, unit_noise)
    run = SamplerRun(levels, noise, options or SamplerOptions(eta=0), TRAINED, from_image=from_image)
    return Outcome(SAMPLER_FUNCTIONS[sampler].function(denoiser, x, run), denoiser, noise, run, x)


def error_of(sampler: str, steps: int, options: SamplerOptions | None = None) -> float:
    """Largest distance to where the exact flow leads."""
    outcome = run_sampler(sampler, steps, options)
    if isinstance(outcome.denoiser, GaussianNoisePredictor):
        unipc = sampler == "UniPC"
        start, end = (999, 0) if unipc else (int(outcome.run.levels[-1]), int(outcome.run.levels[0]))
        exact = outcome.denoiser.solution_at(outcome.x, start, end)
    else:
        end_sigma = float(outcome.run.levels[-1])
        exact = outcome.denoiser.solution(outcome.x, outcome.run.levels[0], end_sigma)
    return float((outcome.latents - exact).abs().max())


def test_every_sampler_of_the_contract_has_a_function_and_no_other() -> None:
    assert list(SAMPLER_FUNCTIONS) == list(SAMPLERS)


def test_every_sampler_of_the_contract_has_a_row_of_infotext_notes_and_no_other() -> None:
    assert list(NOTES) == list(SAMPLERS)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_infotext_notes_the_options_that_change_what_the_sampler_draws(sampler: str) -> None:
    def changes(**options: float) -> bool:
        """Whether the options change the latents of a run with churn."""
        with_churn = SamplerOptions(s_churn=4.0)
        before = run_sampler(sampler, 10, with_churn, unit_noise=1)
        after = run_sampler(sampler, 10, replace(with_churn, **cast("Any", options)), unit_noise=1)
        return not torch.equal(before.latents, after.latents)

    eta = [key for key, name in (("Eta", "eta_ancestral"), ("Eta DDIM", "eta_ddim")) if changes(**{name: 0.5})]
    churn = {changes(s_churn=0.0), changes(s_tmin=10.0), changes(s_tmax=1.0)}

    assert eta == ([] if NOTES[sampler].eta is None else [NOTES[sampler].eta])
    assert churn == {NOTES[sampler].churn}
    assert changes(s_noise=1.5) is NOTES[sampler].noise


@pytest.mark.parametrize("sampler", FOLLOW_THE_FLOW_AT_ETA_ZERO)
def test_solvers_follow_the_exact_flow_ever_more_closely(sampler: str) -> None:
    coarse, fine = error_of(sampler, 10), error_of(sampler, 80)

    assert fine < 0.06
    assert fine < coarse * 0.6 or fine < 0.002


@pytest.mark.parametrize(
    ("sampler", "steps", "bound"),
    [("Euler", 40, 0.1), ("Heun", 40, 0.01), ("DPM++ 2M", 40, 0.02), ("DPM2", 40, 0.01), ("DPM fast", 40, 0.005)],
)
def test_higher_orders_are_closer_at_the_same_number_of_steps(sampler: str, steps: int, bound: float) -> None:
    assert error_of(sampler, steps) < bound


@pytest.mark.parametrize("variant", ["bh1", "bh2", "vary_coeff"])
@pytest.mark.parametrize("skip_type", ["time_uniform", "time_quadratic", "logSNR"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_kind_of_unipc_converges(variant: UniPcVariant, skip_type: UniPcSkipType, order: int) -> None:
    options = SamplerOptions(uni_pc_variant=variant, uni_pc_skip_type=skip_type, uni_pc_order=order)

    coarse, fine = error_of("UniPC", 40, options), error_of("UniPC", 80, options)

    assert fine < 0.025
    assert fine < coarse * 0.6 or fine < 1e-4


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
def test_unipc_is_of_the_order_it_is_given(variant: UniPcVariant) -> None:
    first, second, third = (
        error_of("UniPC", 40, SamplerOptions(uni_pc_variant=variant, uni_pc_skip_type="logSNR", uni_pc_order=order))
        for order in (1, 2, 3)
    )

    assert third < second / 5
    assert second < first / 2


def test_unipc_lowers_its_order_for_fewer_steps_than_that() -> None:
    outcome = run_sampler("UniPC", 2)

    assert len(outcome.denoiser.levels) == 2
    assert outcome.latents.isfinite().all()


def test_unipc_starts_where_img2img_left_its_timesteps() -> None:
    outcome = run_sampler("UniPC", 0, from_image=True, levels=torch.tensor([1, 126, 251, 376]))

    assert outcome.denoiser.levels == pytest.approx([376, 282, 188, 94], abs=1e-3)


def test_plms_calls_the_first_step_twice_and_never_the_lowest_timestep() -> None:
    outcome = run_sampler("PLMS", 0, levels=torch.tensor([1, 126, 251, 376]))

    assert outcome.denoiser.levels == [376, 251, 251, 126]


def test_dpmpp_2m_is_its_closed_form() -> None:
    """Two steps and the closing one, written down with λ = -ln σ."""
    sigmas = torch.tensor([8.0, 3.0, 1.0, 0.0])
    denoise = GaussianDenoiser()

    latents = run_sampler("DPM++ 2M", 3, levels=sigmas).latents

    x = START * 8.0
    first = denoise(x, sigmas[0])
    x = 3 / 8 * x + (1 - 3 / 8) * first
    second = denoise(x, sigmas[1])
    ratio = torch.log(torch.tensor(8 / 3)) / torch.log(torch.tensor(3.0))
    blended = second + (second - first) / (2 * ratio)
    x = 1 / 3 * x + (1 - 1 / 3) * blended
    assert torch.allclose(latents, denoise(x, sigmas[2]), atol=1e-5)


def test_euler_a_is_its_closed_form() -> None:
    """Down to sqrt(σ'² - up²), then up again by that much noise."""
    sigmas = torch.tensor([4.0, 2.0, 0.0])
    denoise = GaussianDenoiser()

    latents = run_sampler("Euler a", 2, SamplerOptions(), levels=sigmas, unit_noise=1.0).latents

    x = START * 4.0
    up = (2.0**2 * (4.0**2 - 2.0**2) / 4.0**2) ** 0.5
    down = (2.0**2 - up**2) ** 0.5
    x = x + (x - denoise(x, sigmas[0])) / 4.0 * (down - 4.0) + up
    assert torch.allclose(latents, denoise(x, sigmas[1]), atol=1e-5)


def test_an_ancestral_step_keeps_the_variance() -> None:
    down, up = ancestral_step(torch.tensor(3.0), torch.tensor(2.0), 0.7)

    assert float(down**2 + up**2) == pytest.approx(4.0, rel=1e-6)
    assert ancestral_step(torch.tensor(3.0), torch.tensor(2.0), 0)[1] == 0


def test_lms_coefficients_integrate_polynomials_exactly() -> None:
    sigmas = [9.0, 6.0, 4.0, 2.5, 1.0]
    weights = multistep_coefficients(sigmas, 3, 4)

    integral = sum(weight * sigma**3 for weight, sigma in zip(weights, (2.5, 4.0, 6.0, 9.0), strict=True))

    assert integral == pytest.approx((1.0**4 - 2.5**4) / 4)
    assert multistep_coefficients(sigmas, 0, 1) == pytest.approx([-3.0])


@pytest.mark.parametrize(
    ("calls", "orders"), [(1, [1]), (2, [2]), (3, [2, 1]), (5, [3, 2]), (6, [3, 2, 1]), (7, [3, 3, 1])]
)
def test_dpm_fast_spends_exactly_the_calls_it_has(calls: int, orders: list[int]) -> None:
    assert fast_orders(calls) == orders
    assert len(run_sampler("DPM fast", calls).denoiser.levels) == calls


def test_dpm_adaptive_finds_its_own_few_steps() -> None:
    outcome = run_sampler("DPM adaptive", 1)

    assert len(outcome.denoiser.levels) == 24
    assert error_of("DPM adaptive", 1) < 0.1


@pytest.mark.parametrize("sampler", ["DPM fast", "DPM adaptive"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_range_samplers_return_the_latent_when_the_range_is_empty(sampler: str, eta: float) -> None:
    levels = torch.full((2,), 0.0292)

    outcome = run_sampler(sampler, 1, SamplerOptions(eta=eta), levels=levels, unit_noise=1.0)

    assert torch.allclose(outcome.latents, outcome.x, atol=1e-4)


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "DPM2"])
def test_churn_samplers_draw_a_noise_each_step_even_without_churn(sampler: str) -> None:
    outcome = run_sampler(sampler, 5, unit_noise=1.0)

    assert len(outcome.noise.asked) == 5
    assert torch.equal(outcome.latents, run_sampler(sampler, 5, unit_noise=0.0).latents)


def test_churn_raises_sigma_inside_its_range_only() -> None:
    options = SamplerOptions(s_churn=2.0, s_tmin=1.0, s_tmax=10.0)
    sigmas = torch.tensor([12.0, 8.0, 2.0, 0.5, 0.0])

    levels = run_sampler("Euler", 4, options, levels=sigmas, unit_noise=1.0).denoiser.levels

    grown = 1 + 2**0.5 - 1
    assert levels == pytest.approx([12.0, 8.0 * grown, 2.0 * grown, 0.5])


@pytest.mark.parametrize(
    ("sampler", "draws"),
    [
        *(("Euler a", 7), ("DPM2 a", 7), ("DPM++ 2S a", 7), ("DPM++ SDE", 14), ("DPM++ 2M SDE", 7)),
        *(("DPM++ 2M SDE Heun", 7), ("DPM++ 3M SDE", 7), ("LCM", 7), ("DDIM", 7), ("DDIM CFG++", 7)),
        *(("LMS", 0), ("DPM++ 2M", 0), ("PLMS", 0), ("UniPC", 0), ("Restart", 0)),
    ],
)
def test_the_noise_stream_moves_as_often_as_in_webui(sampler: str, draws: int) -> None:
    levels = None if SAMPLERS[sampler].timestep else torch.linspace(8, 0, 9)

    assert len(run_sampler(sampler, 8, SamplerOptions(), levels=levels).noise.asked) == draws


@pytest.mark.parametrize("sampler", ["DPM2 a", "DPM++ 2S a", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 3M SDE", "DPM fast"])
def test_s_noise_scales_the_noise_of_those_samplers(sampler: str) -> None:
    halved = run_sampler(sampler, 8, SamplerOptions(s_noise=0.5), unit_noise=1.0).latents

    assert torch.allclose(halved, run_sampler(sampler, 8, SamplerOptions(), unit_noise=0.5).latents, atol=1e-5)


@pytest.mark.parametrize("sampler", ["Euler a", "Restart", "DPM adaptive"])
def test_webui_never_hands_s_noise_to_these(sampler: str) -> None:
    scaled = run_sampler(sampler, 24, SamplerOptions(s_noise=0.5), unit_noise=1.0).latents

    assert torch.equal(scaled, run_sampler(sampler, 24, SamplerOptions(), unit_noise=1.0).latents)


def test_eta_of_the_request_beats_both_options_and_those_are_for_their_own_samplers() -> None:
    assert (SamplerOptions().ancestral, SamplerOptions().ddim) == (1.0, 0.0)
    assert SamplerOptions(eta_ancestral=0.4, eta_ddim=0.2).ancestral == 0.4
    assert SamplerOptions(eta_ancestral=0.4, eta_ddim=0.2).ddim == 0.2
    both = SamplerOptions(eta=0.0, eta_ancestral=0.4, eta_ddim=0.2)
    assert (both.ancestral, both.ddim) == (0.0, 0.0)


def test_ddim_with_eta_adds_noise_of_the_posteriors_size() -> None:
    levels = torch.tensor([1, 500])
    alpha, target = TRAINED.alphas_cumprod[500], TRAINED.alphas_cumprod[1]
    sigma = ((1 - target) / (1 - alpha) * (1 - alpha / target)) ** 0.5

    noisy, quiet = (
        run_sampler("DDIM", 2, SamplerOptions(eta=1.0), levels=levels, unit_noise=value).latents for value in (1.0, 0.0)
    )

    assert torch.allclose(noisy - quiet, sigma.expand_as(noisy), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 19])
def test_restart_below_twenty_steps_is_heun(steps: int) -> None:
    assert torch.equal(run_sampler("Restart", steps).latents, run_sampler("Heun", steps).latents)


@pytest.mark.parametrize(("steps", "climbs"), [(20, 1), (35, 1), (36, 2), (50, 2)])
def test_restart_climbs_once_from_twenty_steps_and_twice_from_thirty_six(steps: int, climbs: int) -> None:
    walk = restart_steps(levels_of("Restart", steps))

    ups = [(before[1], after[0]) for before, after in pairwise(walk) if after[0] > before[1]]
    assert len(ups) == climbs
    assert len(walk) == steps
    assert all(float(low) == pytest.approx(0.1, rel=0.5) for low, _ in ups)
    assert all(float(high) == pytest.approx(2.0, rel=0.5) for _, high in ups)


def test_restart_adds_the_variance_between_the_two_levels() -> None:
    outcome = run_sampler("Restart", 20)

    assert len(outcome.noise.asked) == 1
    low, high = outcome.noise.asked[0]
    assert low < high


def test_lcm_jumps_to_the_clean_latent_and_noises_it_again() -> None:
    sigmas = torch.tensor([5.0, 2.0, 0.0])
    denoise = GaussianDenoiser()

    latents = run_sampler("LCM", 2, levels=sigmas, unit_noise=1.0).latents

    once = denoise(START * 5.0, sigmas[0]) + 2.0
    assert torch.allclose(latents, denoise(once, sigmas[1]))


@pytest.mark.parametrize("sampler", SIGMA_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_very_few_steps_work(sampler: str, steps: int) -> None:
    latents = run_sampler(sampler, steps, SamplerOptions(), unit_noise=0.3).latents

    assert latents.isfinite().all()


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "DPM adaptive"])
@pytest.mark.parametrize("steps", [1, 2, 8, 24, 40])
def test_the_table_knows_how_many_calls_a_run_makes(sampler: str, steps: int) -> None:
    outcome = run_sampler(sampler, steps)

    assert len(outcome.denoiser.levels) == SAMPLER_FUNCTIONS[sampler].calls(outcome.run.levels)


@pytest.mark.parametrize(
    ("sampler", "calls"),
    [("Euler", 16), ("Heun", 2 * 16 - 1), ("DPM++ SDE", 31), ("DPM2", 31), ("DPM++ 2S a", 31), ("DPM++ 2M", 16)],
)
def test_calls_of_twenty_steps_at_three_quarters_strength(sampler: str, calls: int) -> None:
    assert len(run_sampler(sampler, 20, levels=levels_of(sampler, 20)[4:]).denoiser.levels) == calls
