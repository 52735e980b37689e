"""How long each scaling step keeps the next one from happening."""

from dataclasses import dataclass

from lambdas.endpoints.scaling import scaling_steps


@dataclass(frozen=True)
class Numbers:
    min_instances: int = 0
    idle_minutes: int = 7
    backlog_per_instance: float = 2
    scale_out_cooldown_seconds: int = 45


def test_the_first_instance_has_the_time_to_start_before_a_second_is_asked_for() -> None:
    """Ten minutes are usual; whoever idles longer also waits longer."""
    cooldowns = {step.name: step.cooldown_seconds for step in scaling_steps(Numbers())}
    patient = {step.name: step.cooldown_seconds for step in scaling_steps(Numbers(idle_minutes=20))}

    assert cooldowns == {"WakeUp": 900, "Grow": 45, "Sleep": 420}
    assert patient == {"WakeUp": 1200, "Grow": 45, "Sleep": 1200}


def test_an_endpoint_sleeps_only_if_no_sample_of_its_backlog_showed_a_job() -> None:
    """The average of a minute with one short job is below one."""
    statistics = {step.name: step.statistic for step in scaling_steps(Numbers())}

    assert statistics == {"WakeUp": "Maximum", "Grow": "Average", "Sleep": "Maximum"}
