"""Sampler and schedule names are read as WebUI reads them, but never silently replaced."""

import pytest

from generate_on_cloud.contract.samplers import (
    SAMPLERS,
    SCHEDULE_LABELS,
    SamplerChoice,
    Schedule,
    choose_sampler,
    resolve_schedule,
    schedule_named,
)


def test_all_twenty_samplers_and_twelve_schedules_of_webui_are_there() -> None:
    assert len(SAMPLERS) == 20
    assert set(SCHEDULE_LABELS) == set(Schedule)


@pytest.mark.parametrize(
    ("name", "scheduler", "expected"),
    [
        ("DPM++ 2M Karras", None, SamplerChoice("DPM++ 2M", Schedule.KARRAS)),
        ("DPM++ 2M SDE Heun Exponential", None, SamplerChoice("DPM++ 2M SDE Heun", Schedule.EXPONENTIAL)),
        ("DPM++ 2M SDE Karras", "Automatic", SamplerChoice("DPM++ 2M SDE", Schedule.AUTOMATIC)),
        ("DPM++ 2M SDE Karras", "automatic", SamplerChoice("DPM++ 2M SDE", Schedule.AUTOMATIC)),
        ("Euler a", "SGM Uniform", SamplerChoice("Euler a", Schedule.SGM_UNIFORM)),
        ("Euler", "SGMUniform", SamplerChoice("Euler", Schedule.SGM_UNIFORM)),
        ("Euler", "align_your_steps", SamplerChoice("Euler", Schedule.ALIGN_YOUR_STEPS)),
        ("DDIM", None, SamplerChoice("DDIM", Schedule.AUTOMATIC)),
    ],
)
def test_a_name_means_a_sampler_and_a_schedule(name: str, scheduler: str | None, expected: SamplerChoice) -> None:
    assert choose_sampler(name, scheduler) == expected


@pytest.mark.parametrize("name", ["", "k_euler", "Euler Turbo", "DPM++2M Karras", "Karras"])
def test_an_unknown_sampler_names_what_is_allowed(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown sampler .*allowed: DPM\+\+ 2M"):
        choose_sampler(name, None)


def test_an_unknown_schedule_names_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="unknown scheduler 'Turbo'; allowed: Automatic"):
        choose_sampler("Euler", "Turbo")


def test_every_schedule_is_found_by_name_and_by_label() -> None:
    for schedule, label in SCHEDULE_LABELS.items():
        assert schedule_named(schedule.value) is schedule
        assert schedule_named(label) is schedule


@pytest.mark.parametrize(
    ("sampler", "resolved"),
    [
        ("DPM++ 2M", Schedule.KARRAS),
        ("DPM++ 2M SDE", Schedule.EXPONENTIAL),
        ("DPM++ 3M SDE", Schedule.EXPONENTIAL),
        ("Restart", Schedule.KARRAS),
        ("Euler", Schedule.AUTOMATIC),
    ],
)
def test_automatic_resolves_to_the_samplers_own_schedule(sampler: str, resolved: Schedule) -> None:
    assert resolve_schedule(SamplerChoice(sampler, Schedule.AUTOMATIC)) is resolved
    assert resolve_schedule(SamplerChoice(sampler, Schedule.SIMPLE)) is Schedule.SIMPLE


@pytest.mark.parametrize("name", ["DPM++ 2M Karras", "DPM++ 2M SDE Heun Exponential"])
def test_the_scheduler_field_wins_over_the_schedule_in_an_old_name(name: str) -> None:
    assert choose_sampler(name, "Beta").schedule is Schedule.BETA
