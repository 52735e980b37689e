"""An endpoint with nothing to do really stops its container, and the next job starts it again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from infrastructure.endpoint_changes import was_refused
from local_cloud.assembly import DeploymentError
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.deployment import Deployer
from local_cloud.preflight import CannotStartError
from tests.child_processes import children_with
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly

STACK = "Tiny"


def counts(tiny: Tiny) -> tuple[int, int]:
    """Instances that answer and instances that are wanted."""
    (variant,) = tiny.sagemaker.describe_endpoint(EndpointName=tiny.cloud.endpoint_name)["ProductionVariants"]
    return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def container_processes(tiny: Tiny) -> list[psutil.Process]:
    return children_with(tiny.cloud.pid, "tiny_container.py")


def stack_status(formation: Any) -> str:
    return str(formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])


def test_an_idle_endpoint_sleeps_and_wakes_for_the_next_job(tmp_path: Path) -> None:
    assembly = write_assembly(tmp_path / "assembly", template(idle_seconds=1))
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)
        tiny.submit("first", {"text": "good evening"})
        tiny.message("first")
        tiny.wait(lambda: counts(tiny) == (0, 0))
        tiny.wait(lambda: not container_processes(tiny))

        tiny.submit("wakes it", {"text": "good morning"})
        message = tiny.message("wakes it")
        status = tiny.sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)["EndpointStatus"]
        tiny.wait(lambda: counts(tiny) == (0, 0))

    assert message["invocationStatus"] == "Completed"
    assert status == "InService"


def test_an_endpoint_that_scales_is_updating_takes_jobs_and_cannot_be_changed(tmp_path: Path) -> None:
    gate, folder = tmp_path / "gate", tmp_path / "assembly"
    changed = template(idle_seconds=1)
    changed["Resources"]["Endpoint"]["Properties"]["Tags"] = [{"Key": "changed", "Value": "yes"}]
    assembly = write_assembly(folder, template(idle_seconds=1))
    waits = {"CONTAINER_WAITS": str(gate)}
    with LocalCloud(
        tmp_path / "state", assembly=assembly, container_command=CONTAINER, container_environment=waits
    ) as cloud:
        tiny = Tiny(cloud)
        name = cloud.endpoint_name
        tiny.submit("first", {"text": "good evening"})
        tiny.message("first")
        tiny.wait(lambda: counts(tiny) == (0, 0))
        gate.touch()
        tiny.submit("wakes it", {"text": "good morning"})
        tiny.wait(lambda: tiny.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating")
        tiny.submit("meanwhile", {"text": "good day"})

        with pytest.raises(ClientError, match="in status Updating"):
            tiny.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=name,
                DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}],
            )
        clients, assembly_after = LocalClients(cloud.endpoint_url, cloud.root), write_assembly(folder, changed)
        with pytest.raises(DeploymentError, match=r"endpoint .* is still Updating after 0 s"):
            Deployer(clients, seconds=0.1).deploy(assembly_after)
        client_of: Any = clients.client
        formation = client_of("cloudformation")
        formation.update_stack(StackName=STACK, TemplateBody=json.dumps(changed), Capabilities=["CAPABILITY_IAM"])
        tiny.wait(lambda: was_refused(client_of, STACK, since=datetime.min.replace(tzinfo=UTC)))
        tiny.wait(lambda: not stack_status(formation).endswith("_IN_PROGRESS"))
        gate.unlink()
        Deployer(clients).deploy(assembly_after)

        assert stack_status(formation) == "UPDATE_COMPLETE"
        assert tiny.message("wakes it")["invocationStatus"] == "Completed"
        assert tiny.message("meanwhile")["invocationStatus"] == "Completed"


def test_topics_are_tested_whenever_an_endpoint_is_created_or_scaled(tmp_path: Path) -> None:
    assembly = write_assembly(tmp_path / "assembly", template(idle_seconds=1))
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)

        def tests() -> int:
            return len(tiny.rows("TestNotification"))

        # Each time one for the topic of successes and one for that of errors.
        tiny.wait(lambda: tests() == 2)
        tiny.submit("first", {"text": "good evening"})
        tiny.wait(lambda: tests() == 4)
        tiny.submit("wakes it", {"text": "good morning"})
        tiny.wait(lambda: tests() == 8)

        assert counts(tiny) == (0, 0)


def test_an_endpoint_without_a_request_has_no_metric_to_sleep_by_but_can_be_set_to_zero(tmp_path: Path) -> None:
    assembly = write_assembly(tmp_path / "assembly", template(idle_seconds=1))
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)
        tiny.wait(lambda: counts(tiny) == (1, 1))
        processes = container_processes(tiny)

        # Twice the idle time goes by.
        psutil.wait_procs(processes, timeout=2)
        awake = counts(tiny)
        tiny.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=cloud.endpoint_name,
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}],
        )
        tiny.wait(lambda: counts(tiny) == (0, 0))
        tiny.submit("wakes it", {"text": "good morning"})

        assert tiny.message("wakes it")["invocationStatus"] == "Completed"

    assert awake == (1, 1)


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


def test_the_instance_type_of_a_variant_that_scales_cannot_change_but_that_of_another_variant_can(
    tmp_path: Path,
) -> None:
    folder, same, other = tmp_path / "assembly", template(), template()
    for changed, name in ((same, "AllTraffic"), (other, "large")):
        (variant,) = changed["Resources"]["Config"]["Properties"]["ProductionVariants"]
        variant |= {"InstanceType": "ml.g5.2xlarge", "VariantName": name}
    place = f"endpoint/${{Endpoint.EndpointName}}/variant/{variant['VariantName']}"
    other["Resources"]["Target"]["Properties"]["ResourceId"] = {"Fn::Sub": place}
    cloud = LocalCloud(tmp_path / "state", assembly=write_assembly(folder, template()), container_command=CONTAINER)
    with cloud:
        before = Tiny(cloud).sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)

    write_assembly(folder, same)
    with pytest.raises(CannotStartError, match=r"Variant AllTraffic of endpoint .* from ml.g5.xlarge to ml.g5.2xlarge"):
        cloud.start()
    write_assembly(folder, other)
    with cloud:
        tiny = Tiny(cloud)
        (variant,) = tiny.sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)["ProductionVariants"]
        tiny.submit("after it", {"text": "x"})

        assert tiny.message("after it")["invocationStatus"] == "Completed"

    assert before["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    assert variant["VariantName"] == "large"
