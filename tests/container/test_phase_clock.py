"""A job's phases, measured by one clock that worker and task share."""

import pytest

from generate_on_cloud.contract.jobs import JobPhase
from inference_container.phase_clock import PhaseClock
from inference_container.progress import JobProgress


class Seconds:
    """Time that passes only when a test lets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def test_a_phase_entered_again_adds_up_and_the_total_counts_what_lies_between(seconds: Seconds) -> None:
    clock = PhaseClock(now=seconds)

    with clock.phase(JobPhase.SAMPLING):
        seconds.now += 2
    seconds.now += 1
    with clock.phase(JobPhase.SAMPLING):
        seconds.now += 3

    assert clock.timings == {"sampling": 5, "total": 6}


def test_the_workers_and_the_tasks_seconds_of_a_phase_are_on_one_clock(seconds: Seconds) -> None:
    clock = PhaseClock(now=seconds)
    worker, task = (JobProgress(report=lambda _: None, clock=clock) for _ in range(2))

    for progress, spent in ((worker, 1), (task, 2), (worker, 4)):
        with progress.phase(JobPhase.SAVING):
            seconds.now += spent

    assert clock.timings == {"saving": 7, "total": 7}


def test_a_phase_that_fails_is_measured_too(seconds: Seconds) -> None:
    clock = PhaseClock(now=seconds)

    def run_out_of_memory() -> None:
        with clock.phase(JobPhase.SAMPLING):
            seconds.now += 3
            raise MemoryError

    with pytest.raises(MemoryError):
        run_out_of_memory()

    assert clock.timings["sampling"] == 3


def test_a_phase_that_began_before_the_clock_has_the_seconds_it_is_given(seconds: Seconds) -> None:
    clock = PhaseClock(now=seconds)
    with clock.phase(JobPhase.STARTING):
        seconds.now += 1

    clock.replace(JobPhase.STARTING, 90)

    assert clock.timings == {"starting": 90, "total": 1}
