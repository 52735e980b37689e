"""What is left after the whole local cloud was killed, stopped or moved to another port."""

import json
import tempfile
from pathlib import Path

import psutil
from hypothesis import given, settings
from hypothesis import strategies as st

from local_cloud.cloud import LocalCloud
from local_cloud.journal import Journal, JournaledWrite
from local_cloud.preflight import free_port
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
