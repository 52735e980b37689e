"""σ lists against the vectors of semantics §5.2."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice, Schedule, choose_sampler
from inference_container.diffusion.noise_schedule import LcmNoiseSchedule, NoiseSchedule
from inference_container.diffusion.schedules import (
    ALIGN_YOUR_STEPS_SD1,
    ALIGN_YOUR_STEPS_SDXL,
    SCHEDULE_FUNCTIONS,
    ScheduleOptions,
    sigmas_for,
    timesteps_for,
)
from tests.diffusion.toy_models import stable_diffusion_alphas

TRAINED = NoiseSchedule(stable_diffusion_alphas())
KARRAS_20 = [
    *(14.6146, 11.7254, 9.3402, 7.3836, 5.7894, 4.4998, 3.4648, 2.6408, 1.9909, 1.4832, 1.0908),
    *(0.7909, 0.5647, 0.3964, 0.2730, 0.1842, 0.1213, 0.0779, 0.0485, 0.0292, 0),
]


def euler(schedule: Schedule, steps: int = 20, options: ScheduleOptions | None = None) -> list[float]:
    sigmas = sigmas_for(SamplerChoice("Euler", schedule), steps, TRAINED, options=options or ScheduleOptions())
    return [float(sigma) for sigma in sigmas]


def test_the_trained_range_is_stable_diffusions() -> None:
    assert TRAINED.sigma_min == pytest.approx(0.029168, abs=1e-6)
    assert TRAINED.sigma_max == pytest.approx(14.614642, abs=1e-5)


def test_every_schedule_of_the_contract_has_a_function() -> None:
    assert set(SCHEDULE_FUNCTIONS) == set(Schedule)


def test_karras_with_20_steps_is_webuis_list() -> None:
    assert euler(Schedule.KARRAS) == pytest.approx(KARRAS_20, abs=6e-5)


@pytest.mark.parametrize(
    ("schedule", "first", "last"),
    [
        (Schedule.UNIFORM, [14.6146, 10.7468, 8.0815], [0.2322, 0.0292, 0]),
        (Schedule.AUTOMATIC, [14.6146, 10.7468, 8.0815], [0.2322, 0.0292, 0]),
        (Schedule.NORMAL, [14.6146, 10.7468, 8.0815], [0.2322, 0.0292, 0]),
        (Schedule.EXPONENTIAL, [14.6146], [0.0405, 0.0292, 0]),
        (Schedule.POLYEXPONENTIAL, [14.6146], [0.0405, 0.0292, 0]),
        (Schedule.SGM_UNIFORM, [14.6146, 10.9073], [0.3437, 0.2255, 0]),
        (Schedule.SIMPLE, [14.6146], [0.2230, 0]),
        (Schedule.DDIM, [11.0283], [0.0413, 0]),
        (Schedule.BETA, [14.6146, 14.4152], [0.2286, 0.0292, 0]),
    ],
)
def test_ends_of_the_other_schedules_with_20_steps(schedule: Schedule, first: list[float], last: list[float]) -> None:
    sigmas = euler(schedule)

    assert len(sigmas) == 21
    assert sigmas[: len(first)] == pytest.approx(first, abs=6e-5)
    assert sigmas[-len(last) :] == pytest.approx(last, abs=6e-5)


def test_kl_optimal_ends_at_sigma_min_and_not_at_zero() -> None:
    sigmas = euler(Schedule.KL_OPTIMAL, steps=10)

    assert len(sigmas) == 11
    assert sigmas[0] == pytest.approx(TRAINED.sigma_max, rel=1e-4)
    assert sigmas[-1] == pytest.approx(TRAINED.sigma_min, rel=1e-4)


@pytest.mark.parametrize(("sdxl", "table"), [(False, ALIGN_YOUR_STEPS_SD1), (True, ALIGN_YOUR_STEPS_SDXL)])
def test_align_your_steps_is_the_table_of_the_model_and_resampled_for_other_lengths(
    sdxl: bool, table: tuple[float, ...]
) -> None:
    options = ScheduleOptions(sdxl=sdxl)

    eleven = euler(Schedule.ALIGN_YOUR_STEPS, 11, options)
    twenty_one = euler(Schedule.ALIGN_YOUR_STEPS, 21, options)

    assert eleven == pytest.approx([*table, 0], rel=1e-6)
    assert twenty_one[:-1:2] == pytest.approx(table, rel=1e-5)
    assert twenty_one[1] == pytest.approx((table[0] * table[1]) ** 0.5, rel=1e-5)


def test_the_ddim_schedule_may_be_longer_than_asked_for() -> None:
    assert len(euler(Schedule.DDIM, 30)) == 32


@pytest.mark.parametrize("sampler", [name for name, rule in SAMPLERS.items() if not rule.timestep])
def test_automatic_means_each_samplers_own_schedule(sampler: str) -> None:
    default = SAMPLERS[sampler].default_schedule

    automatic = sigmas_for(SamplerChoice(sampler, Schedule.AUTOMATIC), 12, TRAINED)

    assert torch.equal(automatic, sigmas_for(SamplerChoice(sampler, default), 12, TRAINED))
    assert len(automatic) == 13
    assert automatic[-1] == 0


def test_old_names_with_a_schedule_give_the_same_list() -> None:
    old = sigmas_for(choose_sampler("DPM++ 2M Karras", None), 20, TRAINED)

    assert torch.equal(old, sigmas_for(choose_sampler("DPM++ 2M", None), 20, TRAINED))
    assert old.tolist() == pytest.approx(KARRAS_20, abs=6e-5)


@pytest.mark.parametrize("sampler", ["DPM2", "DPM2 a", "DPM++ 3M SDE"])
def test_some_samplers_discard_the_penultimate_sigma(sampler: str) -> None:
    whole = euler(SAMPLERS[sampler].default_schedule, 13)

    shortened = sigmas_for(SamplerChoice(sampler, Schedule.AUTOMATIC), 12, TRAINED).tolist()

    assert shortened == [*whole[:-2], 0.0]


def test_the_option_discards_it_for_all() -> None:
    discarded = euler(Schedule.KARRAS, 12, ScheduleOptions(always_discard_next_to_last_sigma=True))

    assert discarded == [*euler(Schedule.KARRAS, 13)[:-2], 0.0]


def test_overrides_move_the_ends_and_rho_the_curve() -> None:
    sigmas = euler(Schedule.KARRAS, 3, ScheduleOptions(sigma_min=0.1, sigma_max=10, rho=1))

    assert sigmas == pytest.approx([10, 5.05, 0.1, 0], abs=1e-5)


def test_uniform_keeps_the_models_range_whatever_the_overrides() -> None:
    assert euler(Schedule.UNIFORM, 9, ScheduleOptions(sigma_min=0.1, sigma_max=10)) == euler(Schedule.UNIFORM, 9)


@given(st.sampled_from(list(Schedule)), st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_every_schedule_descends_and_stays_finite(schedule: Schedule, steps: int) -> None:
    sigmas = sigmas_for(SamplerChoice("Euler", schedule), steps, TRAINED)

    assert sigmas.dtype == torch.float32
    assert sigmas.isfinite().all()
    assert (sigmas.diff() <= 0).all()
    assert len(sigmas) >= steps + 1


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="steps = 0"):
        euler(Schedule.KARRAS, 0)
    with pytest.raises(ValueError, match="sigma_min = 20"):
        euler(Schedule.KARRAS, 5, ScheduleOptions(sigma_min=20))
    with pytest.raises(ValueError, match="DDIM uses timesteps"):
        sigmas_for(SamplerChoice("DDIM", Schedule.KARRAS), 5, TRAINED)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        NoiseSchedule(torch.zeros(2, 3))


@given(st.floats(0, 999))
@settings(max_examples=100, deadline=None)
def test_timestep_and_sigma_are_inverses(t: float) -> None:
    there = TRAINED.t_to_sigma(torch.tensor(t))

    assert float(TRAINED.sigma_to_t(there)) == pytest.approx(t, abs=5e-3)


def test_quantised_timesteps_are_whole_and_the_nearest() -> None:
    between = TRAINED.t_to_sigma(torch.tensor([10.2, 500.7, 998.4]))

    assert TRAINED.sigma_to_t(between, quantize=True).tolist() == [10, 501, 998]


def test_sigmas_beyond_training_take_the_outermost_timestep() -> None:
    assert TRAINED.sigma_to_t(torch.tensor([1e-4, 100.0])).tolist() == [0, 999]


@pytest.mark.parametrize(("steps", "length"), [(20, 20), (30, 31), (15, 16), (28, 29), (1000, 1000), (1, 1)])
def test_timestep_lists_have_webuis_length(steps: int, length: int) -> None:
    timesteps = timesteps_for(steps, TRAINED)

    assert len(timesteps) == length
    assert timesteps[0] == 1
    assert timesteps.max() <= 999


def test_twenty_timesteps_are_every_fiftieth() -> None:
    assert timesteps_for(20, TRAINED).tolist() == list(range(1, 1000, 50))


@pytest.mark.parametrize("steps", [0, 1001])
def test_a_timestep_list_needs_as_many_steps_as_there_are(steps: int) -> None:
    with pytest.raises(ValueError, match=f"{steps} schedule steps"):
        timesteps_for(steps, TRAINED)


def test_lcm_knows_fifty_sigmas_and_the_timesteps_they_belong_to() -> None:
    distilled = LcmNoiseSchedule(stable_diffusion_alphas())

    assert len(distilled.sigmas) == 50
    assert torch.equal(distilled.sigmas, TRAINED.sigmas[19::20])
    assert distilled.sigma_to_t(distilled.sigmas[[0, 1, 49]]).tolist() == [19, 39, 999]
    assert distilled.sigma_to_t(torch.tensor(0.001)) == 19
    ends = sigmas_for(SamplerChoice("LCM", Schedule.AUTOMATIC), 4, distilled)
    assert ends[[0, 3, 4]].tolist() == pytest.approx([14.614642, float(TRAINED.sigmas[19]), 0])
