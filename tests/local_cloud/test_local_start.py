"""What the local cloud says when it cannot start, and what it refuses to touch."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.__main__ import main
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.environment import NotLoopbackError, local_environment, loopback_url
from local_cloud.preflight import CannotStartError, bind_port, check_disk, check_python, lock_state
from local_cloud.root_credential import RootCredential
from local_cloud.settings import REPOSITORY, LocalSettings
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly

ROOT = RootCredential.random()


def test_a_taken_port_is_named_with_who_holds_it_and_how_to_choose_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        code = main(["--state-dir", str(tmp_path / "state"), "--port", str(port)])

    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert f"port {port}" in said
    assert f"process {os.getpid()}" in said
    assert "--port" in said


def test_a_free_port_is_bound_on_loopback_only() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with bind_port(port) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)


def test_too_little_disk_is_named_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=rf"GiB are free on the disk with {tmp_path}; the local cloud needs"):
        check_disk(tmp_path, minimum_bytes=shutil.disk_usage(tmp_path).total * 2)


def test_enough_disk_passes(tmp_path: Path) -> None:
    check_disk(tmp_path, minimum_bytes=1)


@pytest.mark.parametrize("version", [(3, 10), (3, 12), (4, 0)])
def test_another_python_is_refused(version: tuple[int, int]) -> None:
    with pytest.raises(CannotStartError, match=rf"this is Python {version[0]}\.{version[1]} .* needs Python 3\.11"):
        check_python(version)


def test_a_second_cloud_on_the_same_folder_is_refused_and_the_first_goes_on(shared: Tiny) -> None:
    second = LocalCloud(
        shared.cloud.settings.state_dir, assembly=shared.cloud.settings.assembly, container_command=CONTAINER
    )
    ready = shared.cloud.settings.ready_file.read_text()

    with pytest.raises(CannotStartError, match=rf"another local cloud \(process {shared.cloud.pid}\) runs on"):
        second.start()

    assert shared.cloud.settings.ready_file.read_text() == ready
    assert shared.s3.list_buckets()["Buckets"]


def test_another_owner_may_attach_to_a_running_cloud_and_not_stop_it(shared: Tiny) -> None:
    guest = LocalCloud(shared.cloud.settings.state_dir)

    attached = guest.attach()
    guest.stop()

    assert attached
    assert guest.endpoint_url == shared.cloud.endpoint_url
    assert guest.admin_key == "the-key"
    assert guest.timings.keys() == {"emulator", "synthesis", "deployment", "endpoint"}
    assert shared.s3.list_buckets()["Buckets"]


def test_there_is_nothing_to_attach_to_where_no_cloud_runs(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text('{"endpoint_url": "http://127.0.0.1:1", "pid": 1}')

    assert not LocalCloud(tmp_path / "never").attach()
    assert not LocalCloud(tmp_path).attach()


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with lock_state(tmp_path), pytest.raises(CannotStartError, match="another local cloud"):
        lock_state(tmp_path)

    lock_state(tmp_path).close()


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CannotStartError, match=r"the state folder .*/file/state cannot be used: Not a directory"):
        lock_state(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    "arguments",
    [["--port", "70000"], ["--port", "http"], ["--container-command", "python"], ["--container-environment", "=1"]],
)
def test_a_malformed_option_is_refused_with_what_is_allowed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert f"received '{arguments[1]}'; allowed:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.us-east-1.amazonaws.com",
        "http://192.168.0.10:4747",
        "http://127.0.0.1.example.com:4747",
        "http://127.0.0.1@example.com:4747",
        "http://user@127.0.0.1:4747",
        "https://127.0.0.1:4747",
        "",
    ],
)
def test_an_endpoint_that_is_not_on_this_machine_is_refused(url: str) -> None:
    with pytest.raises(NotLoopbackError, match="never talks to a real AWS"):
        LocalClients(url, lambda: ROOT)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4747", "http://localhost:4747", "http://[::1]:4747"])
def test_loopback_endpoints_pass(url: str) -> None:
    assert loopback_url(url) == url


def test_no_trace_of_a_real_account_reaches_what_is_started(tmp_path: Path) -> None:
    real = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/real",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "PATH": "/usr/bin",
    }

    environment = local_environment(LocalSettings(state_dir=tmp_path, port=4747), real, ROOT)

    kept = {name: value for name, value in environment.items() if name in real}
    assert kept == {"AWS_ACCESS_KEY_ID": ROOT.access_key, "PATH": "/usr/bin"}
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4747"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert environment["AWS_CONFIG_FILE"] == "/dev/null"


def test_the_serving_process_loads_neither_cdk_nor_torch_nor_boto3(shared: Tiny) -> None:
    maps = Path(f"/proc/{shared.cloud.pid}/maps").read_text()
    script = (
        "import sys, local_cloud.server, local_cloud.ministack.emulator, local_cloud.sagemaker.wire as w;"
        "print([name for name in ('aws_cdk', 'jsii', 'torch', 'boto3') if name in sys.modules])"
    )

    imported = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "LOG_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert imported.strip() == "[]"
    assert "/torch/" not in maps


def test_a_container_that_never_starts_fails_the_endpoint_with_the_reason(tmp_path: Path, assembly: Path) -> None:
    cloud = LocalCloud(
        tmp_path / "state",
        assembly=assembly,
        container_command=CONTAINER,
        container_environment={"CONTAINER_END": "7"},
    )
    with cloud:
        endpoint = Tiny(cloud).sagemaker.describe_endpoint(EndpointName=cloud.endpoint_name)

    assert endpoint["EndpointStatus"] == "Failed"
    assert "exit code 7" in endpoint["FailureReason"]


def test_a_failed_deployment_tells_why_and_can_be_mended_and_a_changed_template_updates_the_stack(
    tmp_path: Path,
) -> None:
    folder, mended, broken, changed = tmp_path / "assembly", template(), template(), template()
    broken["Resources"]["Endpoint"]["Properties"]["EndpointConfigName"] = "no-such-config"
    changed["Resources"]["Model"]["Properties"]["PrimaryContainer"]["Environment"]["GREETING"] = "changed"
    cloud = LocalCloud(tmp_path / "state", assembly=write_assembly(folder, broken), container_command=CONTAINER)
    with pytest.raises(CannotStartError, match=r"Endpoint \(AWS::SageMaker::Endpoint\): .* 'no-such-config'"):
        cloud.start()
    write_assembly(folder, mended)
    with cloud:
        Tiny(cloud).put_row("kept")
        table = cloud.outputs["TableName"]
    write_assembly(folder, changed)

    with cloud:
        tiny = Tiny(cloud)
        locations = tiny.submit("job", {"text": "x"})
        tiny.message("job")

        assert json.loads(tiny.object(locations["output"]))["greeting"] == "changed"
        assert tiny.row("kept")
        assert cloud.outputs["TableName"] == table


def test_the_table_gets_the_time_to_live_of_the_template(shared: Tiny) -> None:
    described = shared.dynamodb.describe_time_to_live(TableName=shared.cloud.outputs["TableName"])

    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_a_function_that_fails_is_in_the_log(shared: Tiny) -> None:
    shared.sqs.send_message(QueueUrl=shared.cloud.outputs["QueueUrl"], MessageBody=json.dumps({"explode": True}))

    shared.wait(lambda: "it exploded" in shared.cloud.log_file.read_text())
