"""How long each scaling step keeps the next one from happening."""

from dataclasses import dataclass

from lambdas.endpoints.scaling import scaling_steps


@dataclass(frozen=True)
class Numbers:
    min_instances: int = 0
    idle_minutes: int = 7
    backlog_per_instance: float = 2
    scale_out_cooldown_seconds: int = 45


def test_the_first_instance_has_the_idle_minutes_to_start_before_a_second_is_asked_for() -> None:
    cooldowns = {step.name: step.cooldown_seconds for step in scaling_steps(Numbers())}

    assert cooldowns == {"WakeUp": 420, "Grow": 45, "Sleep": 420}
