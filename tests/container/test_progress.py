"""Progress of a job whose work comes in parts."""

from generate_on_cloud.contract.messages import Progress
from inference_container.phase_clock import PhaseClock
from inference_container.progress import JobProgress


def test_the_steps_of_parts_add_up_and_the_total_is_estimated_by_their_shares() -> None:
    told: list[Progress] = []
    progress = JobProgress(report=told.append, clock=PhaseClock())

    progress.split([10, 20, 5])
    for steps in (8, 19, 6):
        progress.expect(steps)
        counted = progress.counter(start=0, end=steps)
        counted(1)
        counted(steps - 1)
        progress.advance()

    # 8 + 20 of 25 further shares; 8 + 19 + about 5; and what it really was.
    assert list(dict.fromkeys(one.steps for one in told)) == [28, 32, 33]
    assert [one.step for one in told] == [1, 7, 8, 9, 26, 27, 28, 32, 33]


def test_a_job_in_one_piece_counts_its_own_steps() -> None:
    told: list[Progress] = []
    progress = JobProgress(report=told.append, clock=PhaseClock())

    progress.expect(3)
    progress.advance_to(2)
    progress.expect(4)
    progress.advance_to(9)

    assert [(one.step, one.steps) for one in told] == [(2, 3), (4, 4)]
