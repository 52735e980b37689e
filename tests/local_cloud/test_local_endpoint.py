"""The SageMaker endpoint of the local cloud, spoken to with boto3, with a real container process behind it."""

import json
import signal
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.sagemaker.delivery import TIMED_OUT
from tests.child_processes import children_with
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template


def container_pid(tiny: Tiny) -> int:
    """Process of the container that is up right now."""

    def look() -> int | None:
        return next((child.pid for child in children_with(tiny.cloud.pid, "tiny_container.py")), None)

    return int(tiny.wait(look))


def test_an_invocation_gives_an_output_object_and_a_success_message(shared: Tiny) -> None:
    locations = shared.submit("success", {"text": "a cat"})

    message = shared.message("success")

    assert json.loads(shared.object(locations["output"])) == {"text": "A CAT", "greeting": "hello"}
    assert message["invocationStatus"] == "Completed"
    assert message["eventSource"] == "aws:sagemaker"
    assert message["responseParameters"] == {
        "contentType": "application/json",
        "outputLocation": locations["output"],
    }


def test_a_refusal_of_the_container_gives_a_failure_object_and_an_error_message(shared: Tiny) -> None:
    locations = shared.submit("refused", {"fail": 422})

    message = shared.message("refused")

    assert json.loads(shared.object(locations["failure"]))["error"]["code"] == "bad_image"
    assert message["invocationStatus"] == "Failed"
    assert message["responseParameters"] == {"failureLocation": locations["failure"]}
    assert "422" in message["failureReason"]
    assert "no picture" in message["failureReason"]


@pytest.mark.parametrize(
    ("job", "request_document", "words"),
    [
        ("exits", {"exit": 3}, "exit code 3"),
        ("is killed", {"signal": int(signal.SIGKILL)}, "killed by signal 9 (SIGKILL)"),
    ],
)
def test_a_container_that_dies_fails_its_job_with_the_reason_and_the_next_job_runs(
    shared: Tiny, job: str, request_document: dict[str, object], words: str
) -> None:
    died = shared.submit(job, request_document)
    lived = shared.submit(f"after it {job}", {"text": "next"})

    failure = shared.message(job)
    success = shared.message(f"after it {job}")

    assert failure["invocationStatus"] == "Failed"
    assert words in failure["failureReason"]
    assert shared.object(died["failure"]).decode() == failure["failureReason"]
    assert success["invocationStatus"] == "Completed"
    assert json.loads(shared.object(lived["output"]))["text"] == "NEXT"


def test_a_request_over_its_time_is_dropped_without_the_containers_words_and_the_container_lives_on(
    shared: Tiny, tmp_path: Path
) -> None:
    before = container_pid(shared)
    locations = shared.submit("over its time", {"text": "late", "hold": str(tmp_path / "gate")}, timeout_seconds=1)

    message = shared.message("over its time")
    shared.submit("after the late one", {"text": "next"})

    assert message["invocationStatus"] == "Failed"
    assert message["failureReason"] == TIMED_OUT
    assert shared.object(locations["failure"]).decode() == TIMED_OUT
    assert shared.message("after the late one")["invocationStatus"] == "Completed"
    assert container_pid(shared) == before


def test_a_failed_endpoint_can_only_be_deleted_and_nobody_hears_of_its_queue(tmp_path: Path, assembly: Path) -> None:
    broken, gate = tmp_path / "broken", tmp_path / "gate"
    with LocalCloud(
        tmp_path / "state",
        assembly=assembly,
        container_command=CONTAINER,
        container_environment={"CONTAINER_BROKEN": str(broken)},
    ) as cloud:
        tiny = Tiny(cloud)
        name = cloud.endpoint_name
        tiny.submit("dies", {"hold": str(gate), "exit": 3})
        tiny.submit("waits", {"text": "for ever"})
        broken.touch()
        gate.touch()
        tiny.wait(lambda: tiny.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Failed")
        tiny.message("dies")
        formation = LocalClients(cloud.endpoint_url, cloud.root).client("cloudformation")
        changed = template()
        changed["Resources"]["Endpoint"]["Properties"]["RetainAllVariantProperties"] = True
        formation.update_stack(StackName="Tiny", TemplateBody=json.dumps(changed), Capabilities=["CAPABILITY_IAM"])
        tiny.wait(lambda: "ROLLBACK" in formation.describe_stacks(StackName="Tiny")["Stacks"][0]["StackStatus"])
        events = formation.describe_stack_events(StackName="Tiny")["StackEvents"]
        with pytest.raises(ClientError, match="is not in service"):
            tiny.submit("refused", {"text": "too late"})

        tiny.sagemaker.delete_endpoint(EndpointName=name)

        with pytest.raises(ClientError, match="Could not find endpoint"):
            tiny.sagemaker.describe_endpoint(EndpointName=name)
        assert any("Cannot update failed endpoint" in event.get("ResourceStatusReason", "") for event in events)
        assert tiny.row("waits") == {}


def test_a_container_that_dies_idle_is_replaced(shared: Tiny) -> None:
    before = container_pid(shared)

    process = psutil.Process(before)
    process.kill()
    process.wait(60)
    shared.submit("after an idle death", {"text": "still here"})

    assert shared.message("after an idle death")["invocationStatus"] == "Completed"
    assert container_pid(shared) != before


def test_jobs_run_one_at_a_time_in_the_order_they_came(shared: Tiny, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    jobs = [f"ordered-{number}" for number in range(4)]
    for job in jobs:
        shared.submit(job, {"text": job, "hold": str(gate), "log": str(log)})
    shared.wait(log.exists)
    begun_before_the_first_ended = log.read_text().split()

    gate.touch()
    for job in jobs:
        shared.message(job)

    assert begun_before_the_first_ended == jobs[:1]
    assert log.read_text().split() == jobs


def test_a_missing_input_object_fails_the_job(shared: Tiny) -> None:
    bucket = shared.cloud.outputs["BucketName"]
    shared.runtime.invoke_endpoint_async(
        EndpointName=shared.cloud.endpoint_name, InputLocation=f"s3://{bucket}/nothing", InferenceId="no input"
    )

    message = shared.message("no input")

    assert message["invocationStatus"] == "Failed"
    assert "NoSuchKey" in message["failureReason"]


def test_an_invocation_without_an_id_gets_one(shared: Tiny) -> None:
    bucket = shared.cloud.outputs["BucketName"]

    answer = shared.runtime.invoke_endpoint_async(
        EndpointName=shared.cloud.endpoint_name, InputLocation=f"s3://{bucket}/nothing"
    )

    assert shared.message(answer["InferenceId"])["invocationStatus"] == "Failed"


def test_an_unknown_endpoint_is_refused_as_sagemaker_does(shared: Tiny) -> None:
    with pytest.raises(ClientError, match="Endpoint nothing of account 000000000000 not found") as invoked:
        shared.runtime.invoke_endpoint_async(EndpointName="nothing", InputLocation="s3://bucket/key")
    with pytest.raises(ClientError, match="Could not find endpoint") as described:
        shared.sagemaker.describe_endpoint(EndpointName="nothing")

    assert invoked.value.response["Error"]["Code"] == "ValidationError"
    assert described.value.response["Error"]["Code"] == "ValidationException"


def test_an_input_that_is_not_in_s3_is_refused(shared: Tiny) -> None:
    with pytest.raises(ClientError, match=r"received InputLocation 'https://example\.com/x'; allowed: s3://"):
        shared.runtime.invoke_endpoint_async(
            EndpointName=shared.cloud.endpoint_name, InputLocation="https://example.com/x"
        )


def test_the_control_plane_describes_the_endpoint(shared: Tiny) -> None:
    shared.wait(
        lambda: (
            shared.sagemaker.describe_endpoint(EndpointName=shared.cloud.endpoint_name)["ProductionVariants"][0][
                "CurrentInstanceCount"
            ]
            == 1
        )
    )

    endpoint = shared.sagemaker.describe_endpoint(EndpointName=shared.cloud.endpoint_name)
    config = shared.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])

    assert endpoint["EndpointStatus"] == "InService"
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 1
    assert "S3OutputPath" in config["AsyncInferenceConfig"]["OutputConfig"]


def test_endpoints_are_listed_by_name_and_status(shared: Tiny) -> None:
    everything = shared.sagemaker.list_endpoints()["Endpoints"]
    none_by_name = shared.sagemaker.list_endpoints(NameContains="other")["Endpoints"]
    none_by_status = shared.sagemaker.list_endpoints(StatusEquals="Failed")["Endpoints"]

    assert [endpoint["EndpointName"] for endpoint in everything] == [shared.cloud.endpoint_name]
    assert none_by_name == []
    assert none_by_status == []
