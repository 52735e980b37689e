"""What is left after the whole local cloud was killed, stopped or moved to another port."""

import json
import resource
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from local_cloud.cloud import LocalCloud
from local_cloud.durability import Durability
from local_cloud.journal import Journal, JournaledWrite
from local_cloud.ministack.emulator import Emulator, ServiceRequest
from local_cloud.preflight import free_port
from local_cloud.settings import LocalSettings
from tests.local_cloud.tiny_stack import CONTAINER, Tiny


def test_nothing_acknowledged_is_lost_when_the_cloud_is_killed_in_the_middle_of_a_job(
    tiny: Tiny, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    bucket, table = tiny.cloud.outputs["BucketName"], tiny.cloud.outputs["TableName"]
    in_flight = tiny.submit("in flight", {"text": "one", "hold": str(gate), "log": str(log)})
    queued = tiny.submit("queued", {"text": "two", "log": str(log)})
    tiny.wait(log.exists)
    tiny.put_row("a row")
    for _ in range(3):
        tiny.dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": "a counter"}},
            UpdateExpression="ADD visits :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    tiny.dynamodb.delete_item(TableName=table, Key={"id": {"S": "a row that never was"}})
    tiny.s3.put_object(Bucket=bucket, Key="a file", Body=b"kept", ContentType="text/plain")
    url = tiny.sqs.create_queue(QueueName="waiting")["QueueUrl"]
    tiny.sqs.send_message(QueueUrl=url, MessageBody="still here")
    children = psutil.Process(tiny.cloud.pid).children(recursive=True)

    tiny.cloud.kill()
    _, alive = psutil.wait_procs(children, timeout=60)
    gate.touch()
    tiny.cloud.start()

    assert alive == []
    assert tiny.message("in flight")["invocationStatus"] == "Completed"
    assert tiny.message("queued")["invocationStatus"] == "Completed"
    assert json.loads(tiny.object(in_flight["output"]))["text"] == "ONE"
    assert json.loads(tiny.object(queued["output"]))["text"] == "TWO"
    assert log.read_text().splitlines() == ["in flight", "in flight", "queued"]
    assert tiny.row("a row")
    assert tiny.row("a counter")["visits"] == {"N": "3"}
    kept = tiny.s3.get_object(Bucket=bucket, Key="a file")
    assert (kept["Body"].read(), kept["ContentType"]) == (b"kept", "text/plain")

    received = tiny.sqs.receive_message(QueueUrl=url)["Messages"]
    assert [message["Body"] for message in received] == ["still here"]

    tiny.put_row("a row after the restart")
    tiny.cloud.kill()
    tiny.cloud.start()

    assert tiny.row("a counter")["visits"] == {"N": "3"}
    assert tiny.row("a row after the restart")


def test_a_stop_keeps_everything_also_for_another_port_and_ends_every_process(tiny: Tiny, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    tiny.put_row("a row")
    tiny.submit("interrupted", {"text": "x", "hold": str(gate), "log": str(log)})
    tiny.wait(log.exists)
    children = psutil.Process(tiny.cloud.pid).children(recursive=True)

    code = tiny.cloud.stop()
    _, alive = psutil.wait_procs(children, timeout=60)
    gate.touch()
    moved = LocalCloud(
        tmp_path / "state", port=free_port(), assembly=tiny.cloud.settings.assembly, container_command=CONTAINER
    ).start()
    there = Tiny(moved)

    assert code == 0
    assert children
    assert alive == []
    assert there.message("interrupted")["invocationStatus"] == "Completed"
    assert there.row("a row")

    process = moved._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()

    assert process.wait(timeout=60) == 0, "it goes with the process that started it"


def test_the_journal_gives_back_what_was_appended_after_the_snapshot(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(write("before"))
    saved = journal.generation
    journal.rotate()
    journal.append(write("one"))
    journal.append(write("two"))

    found = list(Journal(tmp_path).replay(after=saved))

    assert [entry.body for entry in found] == ["one", "two"]


def test_a_line_cut_short_was_never_acknowledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(write("whole"))
    (file,) = tmp_path.glob("*.journal")
    with file.open("ab") as torn:
        torn.write(b'{"account": "0000')

    found = list(Journal(tmp_path).replay(after=0))

    assert [entry.body for entry in found] == ["whole"]


def test_a_write_that_does_not_fit_on_the_disk_is_not_applied_and_later_ones_are(tiny: Tiny) -> None:
    tiny.put_row("before")
    server = psutil.Process(tiny.cloud.pid)
    (journal,) = tiny.cloud.settings.emulator_dir.glob("*.journal")
    # Files cannot grow beyond what the journal has, as on a full disk.
    server.rlimit(psutil.RLIMIT_FSIZE, (journal.stat().st_size, resource.RLIM_INFINITY))
    try:
        for number in range(3):
            with pytest.raises(ClientError):
                tiny.put_row(f"refused {number}")
    finally:
        server.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tiny.put_row("after")

    def rows() -> list[bool]:
        return [bool(tiny.row(name)) for name in ("before", "refused 0", "refused 1", "refused 2", "after")]

    seen = rows()
    tiny.cloud.kill()
    tiny.cloud.start()

    assert seen == rows() == [True, False, False, False, True]


def test_a_change_that_is_saved_whole_needs_room_before_it_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durability = Durability(LocalSettings(state_dir=tmp_path, port=1), cast("Emulator", None))

    def asking(service: str, action: str) -> None:
        request = ServiceRequest(service=service, action=action, path="/", body=b"", account="0", region="r")
        durability.before(request)()

    changes = [("sqs", "SendMessage"), ("ssm", "PutParameter"), ("iam", "CreateUser"), ("s3", "PUT")]
    harmless = [("sqs", "ReceiveMessage"), ("sqs", "DeleteMessage"), ("s3", "GET"), ("s3", "DELETE"), ("logs", "PutX")]
    for asked in (*changes, *harmless):
        asking(*asked)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))

    for asked in harmless:
        asking(*asked)
    for asked in changes:
        with pytest.raises(OSError, match="No space left"):
            asking(*asked)


@given(st.lists(st.one_of(st.text(), st.just(None)), max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_writes_snapshots_and_deaths_replay_exactly_what_no_snapshot_holds(steps: list[str | None]) -> None:
    """None is a snapshot; the process dies at the end."""
    with tempfile.TemporaryDirectory() as folder:
        journal, saved, expected = Journal(Path(folder)), 0, list[str]()
        for step in steps:
            if step is None:
                saved, expected = journal.generation, []
                journal.rotate()
            else:
                journal.append(write(step))
                expected.append(step)

        assert [entry.body for entry in Journal(Path(folder)).replay(after=saved)] == expected


def write(body: str) -> JournaledWrite:
    return JournaledWrite(account="000000000000", region="us-east-1", action="PutItem", body=body)
