"""Steps and strength: WebUI's table of semantics §2.6."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_container.diffusion.step_plan import NO_STEPS, plan_steps


@pytest.mark.parametrize(
    ("steps", "strength", "start", "executed"),
    [
        (20, 0, 19, 1),
        (20, 0.25, 14, 6),
        (20, 0.5, 9, 11),
        (20, 0.75, 4, 16),
        (20, 0.95, 0, 20),
        (20, 1.0, 0, 20),
        (30, 0.3, 20, 10),
        (30, 0.75, 7, 23),
        (50, 0.75, 12, 38),
    ],
)
def test_strength_leaves_as_many_steps_as_webui_runs(steps: int, strength: float, start: int, executed: int) -> None:
    plan = plan_steps(steps, strength)

    assert (plan.schedule_steps, plan.start, plan.t_enc + 1) == (steps, start, executed)


def test_fix_steps_stretches_the_schedule_so_that_all_steps_run() -> None:
    plan = plan_steps(20, 0.5, fix_steps=True)

    assert (plan.schedule_steps, plan.start, plan.t_enc + 1) == (40, 20, 20)


def test_fix_steps_at_strength_zero_runs_none() -> None:
    assert plan_steps(20, 0, fix_steps=True) == NO_STEPS


@given(st.integers(1, 150), st.floats(0.002, 1) | st.just(0.0), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_plan_always_fits_its_schedule(steps: int, strength: float, fix_steps: bool) -> None:
    plan = plan_steps(steps, strength, fix_steps=fix_steps)

    assert (0 <= plan.start < plan.schedule_steps) or plan == NO_STEPS
    assert plan.start + plan.t_enc + 1 == plan.schedule_steps


def test_fixed_steps_refuse_a_strength_that_would_need_an_endless_schedule() -> None:
    with pytest.raises(ValueError, match=r"allowed: 0, 0\.0002 to 1"):
        plan_steps(20, 1e-300, fix_steps=True)


@pytest.mark.parametrize(("steps", "strength", "named"), [(0, 0.5, "steps = 0"), (20, 1.5, "1.5"), (20, -0.1, "-0.1")])
def test_values_out_of_range_are_refused_by_name(steps: int, strength: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        plan_steps(steps, strength)
