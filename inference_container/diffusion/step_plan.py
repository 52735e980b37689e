"""How many steps of the schedule a denoising strength leaves (semantics §2.6)."""

from dataclasses import dataclass

MAX_SCHEDULE_STEPS = 100_000
"""Bounds the schedule, because with fixed steps a tiny strength would need an endless one."""


@dataclass(frozen=True)
class StepPlan:
    schedule_steps: int
    """S, the number of steps that the schedule is built for; 0: nothing is sampled."""
    t_enc: int
    """Sampling starts at index S - t_enc - 1 of the σ list and runs t_enc + 1 intervals."""

    @property
    def start(self) -> int:
        """Index of the first σ that is used."""
        return self.schedule_steps - self.t_enc - 1


NO_STEPS = StepPlan(schedule_steps=0, t_enc=-1)
"""The latents stay what they are."""


def plan_steps(steps: int, denoising_strength: float, *, fix_steps: bool = False) -> StepPlan:
    """WebUI 1.10.1's rule: strength 0 still runs one interval, strength 1 runs all.

    Args:
        steps: the request's steps, at least 1.
        denoising_strength: 0..1.
        fix_steps: option `img2img_fix_steps` or the hires pass: run `steps` intervals for any strength above 0, and
            none at 0. (WebUI does so with σ samplers; its timestep samplers fail there.)

    Raises:
        ValueError: a value is out of range.
    """
    if steps < 1:
        raise ValueError(f"received steps = {steps}; allowed: 1 and more")
    if not 0 <= denoising_strength <= 1:
        raise ValueError(f"received denoising_strength = {denoising_strength}; allowed: 0 to 1")
    strength = min(denoising_strength, 0.999)
    if fix_steps and strength == 0:
        return NO_STEPS
    if fix_steps:
        if steps / strength > MAX_SCHEDULE_STEPS:
            least = steps / MAX_SCHEDULE_STEPS
            raise ValueError(f"received denoising_strength = {strength} with fixed steps; allowed: 0, {least:g} to 1")
        return StepPlan(schedule_steps=int(steps / strength), t_enc=steps - 1)
    return StepPlan(schedule_steps=steps, t_enc=int(strength * steps))
