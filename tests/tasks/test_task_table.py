"""The table of tasks is complete."""

from generate_on_cloud.contract.jobs import Task
from inference_container.tasks import TASKS


def test_every_task_has_its_function() -> None:
    assert set(TASKS) == set(Task)
