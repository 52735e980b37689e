"""An endpoint with nothing to do really stops its container, and the next job starts it again."""

from pathlib import Path

import psutil

from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly


def counts(tiny: Tiny) -> tuple[int, int]:
    """Instances that answer and instances that are wanted."""
    (variant,) = tiny.sagemaker.describe_endpoint(EndpointName=tiny.cloud.endpoint_name)["ProductionVariants"]
    return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def container_processes(tiny: Tiny) -> list[psutil.Process]:
    return children_with(tiny.cloud.pid, "tiny_container.py")


def test_an_idle_endpoint_sleeps_and_wakes_for_the_next_job(tmp_path: Path) -> None:
    assembly = write_assembly(tmp_path / "assembly", template(idle_seconds=1))
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)
        tiny.wait(lambda: counts(tiny) == (0, 0))
        tiny.wait(lambda: not container_processes(tiny))

        tiny.submit("wakes it", {"text": "good morning"})
        message = tiny.message("wakes it")
        status = tiny.sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)["EndpointStatus"]
        tiny.wait(lambda: counts(tiny) == (0, 0))

    assert message["invocationStatus"] == "Completed"
    assert status == "InService"


def test_a_busy_endpoint_is_not_put_to_sleep(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    assembly = write_assembly(tmp_path / "assembly", template(idle_seconds=1))
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)
        log = tmp_path / "log"
        tiny.submit("long", {"text": "long", "hold": str(gate), "log": str(log)})
        tiny.wait(log.exists)
        (before,) = {process.pid for process in container_processes(tiny)}

        # Twice the idle time goes by while the job runs.
        psutil.wait_procs([psutil.Process(before)], timeout=2)
        during = {process.pid for process in container_processes(tiny)}
        gate.touch()

        assert tiny.message("long")["invocationStatus"] == "Completed"
        assert during == {before}
