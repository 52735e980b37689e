"""A state machine over jobs: anything may die between any two writes, messages are lost, doubled, late and forged.

Nothing acknowledged is lost, nothing is made, ended or counted twice, every end is told, and in the end everything has
ended and no place is taken. The default run is short; `JOB_STATES_EXAMPLES=200` walks other ways each time.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from generate_on_cloud.contract.errors import JobError, JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import TERMINAL, TRANSITIONS, JobStatus
from generate_on_cloud.contract.messages import Progress
from inference_container.job_record import JobRecords
from lambdas.aws.rows import from_item, is_id, timestamp
from lambdas.functions.job_events import MalformedError
from tests.lambdas.cloud import Aws, Cloud, completed, failed, notification, open_cloud, txt2img

WRITES = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "TransactWriteItems",
        "PutObject",
        "DeleteObject",
        "DeleteObjects",
        "SendMessage",
    }
)
SHORT = 4
EXAMPLES = int(os.environ.get("JOB_STATES_EXAMPLES", SHORT))
QUOTAS = {"concurrent_jobs": 1000}
"""Never in the way, but whoever has quotas has places that are counted."""
WEBHOOK = {"url": "https://studio.example/hook", "events": [f"job.{status}" for status in TERMINAL]}
OOM = JobError.of(JobErrorCode.OUT_OF_MEMORY, "too big")
FROZEN = ("status", "finished_at", "output_key", "failure_key", "error")
crashes = st.none() | st.integers(0, 6)


class ProcessDied(BaseException):
    """What no `except Exception` sees, as a killed function sees nothing any more."""


@dataclass
class Fate:
    """How many more writes the running function lives for."""

    left: int | None = None

    def spend(self, event_name: str, **_: object) -> None:
        if self.left is None or event_name.rpartition(".")[2] not in WRITES:
            return
        if self.left == 0:
            raise ProcessDied
        self.left -= 1

    @contextmanager
    def dying_after(self, writes: int | None) -> Iterator[None]:
        self.left = writes
        try:
            yield
        except ProcessDied:
            pass
        finally:
            self.left = None


def following(status: JobStatus) -> set[JobStatus]:
    """Every status that may come after, in any number of steps. A start that broke off puts a job back to `created`."""
    found: set[JobStatus] = set()
    edge = {status}
    while edge:
        edge = {after for before in edge for after in TRANSITIONS[before]} - found
        found |= edge
    return found


class Jobs(RuleBasedStateMachine):
    aws: ClassVar[Aws]
    fate: ClassVar[Fate]

    def __init__(self) -> None:
        super().__init__()
        self._opened = open_cloud(self.aws)
        self.cloud: Cloud = self._opened.__enter__()
        self.cloud.checkpoint()
        self.cloud.endpoint.on_invoke = self._invoke
        self.cloud.queue.on_send = lambda: self.fate.spend("sqs.SendMessage")
        self.cloud.ask("PUT", "/v1/users/alice", {"role": "artist", "quotas": QUOTAS}, user="root").ok()
        self.cloud.ask("POST", "/v1/me/webhook-secret", {}).ok()
        self.keys = 0
        self.acknowledged: dict[str, str] = {}
        """Key -> job."""
        self.deliveries: list[tuple[str, int, str]] = []
        """What waits in SageMaker's queue: job, number of the invocation, when it was taken."""
        self.invocations = 0
        self.messages: list[str] = []
        """Every message SageMaker ever published; any may come at any time and again."""
        self.seen: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.ends: dict[str, str] = {}
        """How each job ended, deleted or not."""
        self.workers = 0
        self.in_process: dict[int, tuple[str, int, str]] = {}

    def _invoke(self, job_id: str) -> None:
        """The endpoint takes a request; it may do so and the caller never learn of it."""
        if self.fate.left == 0:
            raise ProcessDied
        self.invocations += 1
        self.deliveries.append((job_id, self.invocations, timestamp(self.cloud.clock.now)))

    def rows(self) -> dict[str, dict[str, Any]]:
        items = self.cloud.dynamodb.scan(TableName="jobs")["Items"]
        return {row["job_id"]: row for row in map(from_item, items) if is_id(row["job_id"])}

    # Users

    @rule(writes=crashes)
    def send(self, writes: int | None) -> None:
        self.keys += 1
        self._send(f"key-{self.keys}", writes)

    @precondition(lambda self: self.keys > 0)
    @rule(writes=crashes, data=st.data())
    def send_again(self, writes: int | None, data: st.DataObject) -> None:
        self._send(f"key-{data.draw(st.integers(1, self.keys))}", writes)

    def _send(self, key: str, writes: int | None) -> None:
        with self.fate.dying_after(writes):
            reply = self.cloud.ask(
                "POST", "/v1/jobs", {**txt2img(), "webhook": WEBHOOK}, headers={"Idempotency-Key": key}
            )
            if reply.status == 201:
                assert self.acknowledged.setdefault(key, reply.json["job_id"]) == reply.json["job_id"]
            else:
                reply.problem(409, "idempotency_in_flight")

    @precondition(lambda self: self.seen)
    @rule(writes=crashes, data=st.data())
    def cancel(self, writes: int | None, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.seen)))
        with self.fate.dying_after(writes):
            self.cloud.ask("POST", f"/v1/jobs/{job_id}/cancel")

    @precondition(lambda self: any(JobStatus(row["status"]) in TERMINAL for row in self.seen.values()))
    @rule(writes=crashes, data=st.data())
    def delete(self, writes: int | None, data: st.DataObject) -> None:
        ended = sorted(job_id for job_id, row in self.seen.items() if JobStatus(row["status"]) in TERMINAL)
        job_id = data.draw(st.sampled_from(ended))
        self.deleted.add(job_id)
        with self.fate.dying_after(writes):
            self.cloud.ask("DELETE", f"/v1/jobs/{job_id}")

    # Workers

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        self._take(data.draw(st.integers(0, len(self.deliveries) - 1)))

    def _take(self, index: int) -> None:
        delivery = self.deliveries.pop(index)
        self.workers += 1
        try:
            self._records(self.workers).claim(delivery[0])
        except JobFailed as refused:
            self._publish_failure(delivery, refused.error)
            return
        self.in_process[self.workers] = delivery

    @precondition(lambda self: self.in_process)
    @rule(
        data=st.data(),
        end=st.sampled_from(["succeed", "succeed", "fail", "die", "die unnoticed", "beat"]),
        published=st.booleans(),
    )
    def work(self, data: st.DataObject, end: str, published: bool) -> None:
        self._work(data.draw(st.sampled_from(sorted(self.in_process))), end, published=published)

    def _work(self, worker: int, end: str, *, published: bool = True) -> None:
        delivery = self.in_process[worker]
        job_id, _, received = delivery
        if end == "beat":
            try:
                self._records(worker).beat(job_id, Progress(phase="sampling"))
            except JobFailed as stopped:
                del self.in_process[worker]
                self._publish_failure(delivery, stopped.error)
            return
        del self.in_process[worker]
        if end == "succeed":
            location = self.cloud.put_result(job_id, key=self._output_key(job_id))
            message = completed(job_id, location)
        elif end == "fail":
            self._publish_failure(delivery, OOM, published=published)
            return
        elif end == "die":
            message = failed(job_id, reason="the container was killed")
        else:
            return
        if published:
            self.messages.append(self._dated(message, received))

    def _records(self, worker: int) -> JobRecords:
        clock = self.cloud.clock
        return JobRecords(self.cloud.dynamodb, "jobs", f"w{worker}", clock=clock.monotonic, sleep=clock.sleep)

    def _publish_failure(self, delivery: tuple[str, int, str], error: JobError, *, published: bool = True) -> None:
        message = failed(delivery[0], self.cloud.put_failure(delivery[0], error))
        if published:
            self.messages.append(self._dated(message, delivery[2]))

    @staticmethod
    def _output_key(job_id: str) -> str:
        return f"endpoint-output/{job_id}.out"

    @staticmethod
    def _dated(message: str, received: str) -> str:
        return message.replace("2026-11-22T11:59:00.000Z", received)

    # Functions

    @precondition(lambda self: self.messages)
    @rule(writes=crashes, data=st.data())
    def deliver(self, writes: int | None, data: st.DataObject) -> None:
        self._deliver(data.draw(st.sampled_from(self.messages)), writes)

    def _deliver(self, message: str, writes: int | None = None) -> None:
        with self.fate.dying_after(writes):
            try:
                self.cloud.events.handle(message)
            except MalformedError:
                return

    @precondition(lambda self: len(self.seen) > 1)
    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        """Somebody says one job ended with the result of another."""
        victim, other = data.draw(st.permutations(sorted(self.seen)))[:2]
        self._deliver(completed(victim, f"s3://jobs-bucket/{self._output_key(other)}"))
        self._deliver(notification(victim, "Completed"))

    @rule(writes=crashes, minutes=st.sampled_from([1, 3, 11]))
    def sweep(self, writes: int | None, minutes: int) -> None:
        self.cloud.clock.now += timedelta(minutes=minutes)
        with self.fate.dying_after(writes):
            self.cloud.sweeper.sweep(self.cloud.clock.now)

    # What always holds

    @invariant()
    def states_are_legal(self) -> None:
        rows = self.rows()
        for job_id, row in rows.items():
            status = JobStatus(row["status"])
            assert "open" in row or status in TERMINAL
            before = self.seen.get(job_id)
            if before is None:
                continue
            was = JobStatus(before["status"])
            assert status is was or status in following(was), f"{was} -> {status}"
            if was in TERMINAL:
                assert {name: row.get(name) for name in FROZEN} == {name: before.get(name) for name in FROZEN}
        assert set(self.seen) - set(rows) <= self.deleted
        assert len(set(rows) | self.deleted) <= self.keys
        self.seen = rows

    @invariant()
    def each_place_belongs_to_a_job_that_is_not_settled(self) -> None:
        load = self.cloud.usage.access.get("load#alice") or {}

        assert load.get("open_jobs", 0) == sum("open" in row for row in self.rows().values())

    @invariant()
    def an_endpoints_load_is_its_jobs_that_are_not_settled(self) -> None:
        load = self.cloud.load.of(["artists"])

        assert load["artists"] == sum("open" in row for row in self.rows().values())

    @invariant()
    def each_settled_end_is_counted_once(self) -> None:
        rows = self.rows()
        self.ends |= {job_id: row["status"] for job_id, row in rows.items() if row["status"] in TERMINAL}
        unsettled = {job_id for job_id, row in rows.items() if "open" in row}
        settled = Counter(status for job_id, status in self.ends.items() if job_id not in unsettled)

        assert self._counted() == settled

    def _counted(self) -> Counter[str]:
        days, _ = self.cloud.usage.month_of("alice", self.cloud.clock.now.date().replace(day=1))
        counted: Counter[str] = Counter()
        for day in days:
            counted.update({status.value: number for status, number in day.ended.items() if number})
        return counted

    def teardown(self) -> None:
        try:
            for _ in range(12):
                rows = self._calm_down()
                if not any("open" in row for row in rows.values()):
                    break
            assert {row["status"] for row in rows.values()} <= set(TERMINAL)
            assert set(self.acknowledged.values()) <= set(rows) | self.deleted
            assert self.ends.keys() <= set(self.cloud.queue.sent)
            for row in rows.values():
                if row["status"] == JobStatus.SUCCEEDED:
                    assert self.cloud.ask("GET", f"/v1/jobs/{row['job_id']}").ok()["result"] is not None
        finally:
            self._opened.__exit__(None, None, None)

    def _calm_down(self) -> dict[str, dict[str, Any]]:
        """A while without accidents: workers work, messages come, the sweeper sweeps."""
        while self.deliveries:
            self._take(0)
        for worker in list(self.in_process):
            self._work(worker, "succeed")
        for message in self.messages:
            self._deliver(message)
        self.cloud.clock.now += timedelta(minutes=4)
        self.cloud.sweeper.sweep(self.cloud.clock.now)
        self.states_are_legal()
        self.each_place_belongs_to_a_job_that_is_not_settled()
        self.each_settled_end_is_counted_once()
        return self.seen


@pytest.mark.timeout(300)
def test_no_accident_loses_doubles_or_strands_a_job(aws: Aws) -> None:
    Jobs.aws, Jobs.fate = aws, Fate()
    for client in (aws.dynamodb, aws.s3):
        client.meta.events.register_first("before-call", Jobs.fate.spend, unique_id="fate")
    try:
        run_state_machine_as_test(
            Jobs,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=20,
                deadline=None,
                derandomize=EXAMPLES == SHORT,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for client in (aws.dynamodb, aws.s3):
            client.meta.events.unregister("before-call", unique_id="fate")
