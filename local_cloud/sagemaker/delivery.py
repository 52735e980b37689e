"""One endpoint at work: keeps its container alive and feeds it from the queue, one invocation at a time."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cloud.durability import Durability
from local_cloud.ministack.emulator import Emulator, EmulatorError
from local_cloud.sagemaker.container import (
    Container,
    ContainerLostError,
    ContainerTimeoutError,
    ContainerUnreachedError,
)
from local_cloud.sagemaker.messages import notification, topic_test
from local_cloud.sagemaker.notifier import Notifier
from local_cloud.sagemaker.records import EndpointSpec, EndpointStatus, NewInvocation, Notice, QueuedInvocation
from local_cloud.sagemaker.store import SageMakerStore

logger = logging.getLogger("local_cloud.endpoint")

MAX_FAILED_STARTS = 3
_LONGEST_PAUSE_SECONDS = 10.0
_STEADY_SECONDS = 30.0
_REASON_CHARACTERS = 1024
TIMED_OUT = "Your invocation timed out while waiting for a response from container primary."
"""SageMaker's words; nothing of the container's is with them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an invocation ended."""

    status: str
    """`Completed`, `Failed` or `Expired`."""
    body: bytes
    """URI of the output object, or of the failure object."""
    content_type: str
    reason: str | None = None
    """None if completed."""


def failed(reason: str, *, status: str = "Failed") -> Outcome:
    """A failure without an answer from the container: the failure object is the plain reason."""
    return Outcome(status=status, body=reason.encode(), content_type="text/plain; charset=utf-8", reason=reason)


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """How containers are started."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log_file: Path


class EndpointWorker:
    """Runs as one task; cancel it to stop. The invocation in flight then stays queued."""

    def __init__(
        self,
        spec: EndpointSpec,
        plan: ContainerPlan,
        *,
        check: Callable[[str, str], None],
        store: SageMakerStore,
        emulator: Emulator,
        notifier: Notifier,
        durability: Durability,
        region: str,
        idle_seconds: Callable[[], float | None],
        is_changed: bool,
    ) -> None:
        """Nothing runs before `run` is called.

        Args:
            check: raises EmulatorError unless the endpoint's role may do the action on the resource.
            idle_seconds: seconds without work before the container is stopped; None: never.
            is_changed: the endpoint was just created or updated.
        """
        self.spec = spec
        self.container: Container | None = None
        """The container that answers /ping; None if there is none."""
        self.asleep = False
        """Scaled to zero: no container until the next invocation arrives."""
        self._plan = plan
        self._check = check
        self._store = store
        self._emulator = emulator
        self._notifier = notifier
        self._durability = durability
        self._region = region
        self._idle_seconds = idle_seconds
        self._is_changed = is_changed
        self._queued = asyncio.Event()
        self._sent_to_sleep = False
        self._has_worked = False
        """Since this endpoint was created: before its first request SageMaker may report no backlog to an alarm."""
        self._answers = 0
        """Process id of the current container."""

    def wake(self) -> None:
        """Notice that something new is in the queue."""
        self._queued.set()

    def sleep_now(self) -> None:
        """Stop the container as soon as the queue is empty, whatever the idle time."""
        self._sent_to_sleep = True
        self._queued.set()

    async def run(self) -> None:
        """Keep a container running while there is work, until cancelled or until no container can be started."""
        failed_starts = short_lives = 0
        if self._is_changed:
            await self._try_topics()
        while True:
            container = await Container.start(
                self._plan.command,
                environment=self._plan.environment,
                folder=self._plan.folder,
                log_file=self._plan.log_file,
            )
            try:
                try:
                    await container.until_ready(self.spec.startup_seconds)
                except ContainerLostError as error:
                    failed_starts += 1
                    logger.error("%s (start %d); its log: %s", error, failed_starts, self._plan.log_file)  # noqa: TRY400
                    if failed_starts >= MAX_FAILED_STARTS:
                        self._give_up(f"{error}; its log: {self._plan.log_file}")
                        return
                else:
                    failed_starts = 0
                    self.container = container
                    self._store.set_status(self.spec.name, EndpointStatus.IN_SERVICE)
                    logger.info("endpoint %s is in service (process %d)", self.spec.name, container.pid)
                    began = time.monotonic()
                    self._answers = 0
                    self.asleep = await self._serve(container)
                    # A container that worked before it died proves that it can run, so the next one may start at once.
                    steady = self._answers > 0 or time.monotonic() - began > _STEADY_SECONDS
                    short_lives = 0 if steady else short_lives + 1
                    if self.asleep:
                        await self._begin_scaling()
                    else:
                        logger.error("the container exited: %s; starting another one", container.end())
            finally:
                self.container = None
                await container.stop()
            if self.asleep:
                logger.info("endpoint %s is idle: scaled to zero", self.spec.name)
                self._store.set_status(self.spec.name, EndpointStatus.IN_SERVICE)
                await self._until_needed()
                self.asleep = False
                await self._begin_scaling()
                short_lives = 0
                continue
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, 0.05 * 2 ** (2 * failed_starts + short_lives)))

    async def _begin_scaling(self) -> None:
        self._store.set_status(self.spec.name, EndpointStatus.UPDATING)
        await self._try_topics()

    async def _try_topics(self) -> None:
        """Send both topics a test, as SageMaker does whenever an endpoint is created, updated or scaled."""
        for topic in filter(None, (self.spec.success_topic, self.spec.error_topic)):
            try:
                self._check("sns:Publish", topic)
                await self._emulator.publish(topic, topic_test(self.spec.name))
            except EmulatorError:
                logger.exception("the test of topic %s could not be published", topic)

    def _give_up(self, reason: str) -> None:
        reason = f"the container could not be started {MAX_FAILED_STARTS} times in a row: {reason}"
        # SageMaker sends no notification for the queued invocations: they go with the endpoint.
        self._store.set_status(self.spec.name, EndpointStatus.FAILED, reason)

    async def _until_needed(self) -> None:
        """Wait for the next invocation, or until the endpoint must not sleep any more."""
        while self._store.first(self.spec.name) is None and self._idle_seconds() is not None:
            self._queued.clear()
            await self._queued.wait()

    async def _serve(self, container: Container) -> bool:
        """Work through the queue; returns False when the container has died, True when it has been idle too long."""
        idle_since = time.monotonic()
        while not container.died.done():
            self._queued.clear()
            queued = self._store.first(self.spec.name)
            if queued is None:
                if self._sent_to_sleep:
                    self._sent_to_sleep = False
                    return True
                allowed = self._idle_seconds() if self._has_worked else None
                left = None if allowed is None else idle_since + allowed - time.monotonic()
                if left is not None and left <= 0:
                    return True
                waiting = asyncio.ensure_future(self._queued.wait())
                try:
                    await asyncio.wait([waiting, container.died], timeout=left, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                continue
            try:
                outcome = None if queued.done else await self._work(container, queued.invocation)
            except ContainerUnreachedError:
                # It died while idle: the invocation stays first in the queue for the next container.
                await container.stop()
                return False
            await self._conclude(queued, outcome)
            self._has_worked = True
            idle_since = time.monotonic()
        return False

    async def _work(self, container: Container, invocation: NewInvocation) -> Outcome:
        if time.time() > invocation.received_at + invocation.ttl_seconds:
            return failed(f"The request expired after {invocation.ttl_seconds} s in the queue.", status="Expired")
        try:
            self._check("s3:GetObject", _object_arn(invocation.input_location))
            body = await self._emulator.get_object(*_bucket_and_key(invocation.input_location))
        except EmulatorError as error:
            return failed(f"The input could not be read: {error}")
        try:
            answer = await container.invoke(invocation, body)
        except ContainerUnreachedError:
            raise
        except ContainerTimeoutError:
            # SageMaker drops the connection and leaves the container alone, which may still be busy with the request.
            return failed(TIMED_OUT)
        except ContainerLostError as error:
            await container.stop()
            return failed(f"{str(error)[0].upper()}{str(error)[1:]}.")
        self._answers += 1
        if 200 <= answer.status < 300:
            return Outcome(status="Completed", body=answer.body, content_type=answer.content_type)
        whose = "client" if answer.status < 500 else "server"
        said = answer.body.decode(errors="replace")[:_REASON_CHARACTERS]
        reason = f'Received {whose} error ({answer.status}) from the container with message "{said}".'
        return Outcome(status="Failed", body=answer.body, content_type=answer.content_type, reason=reason)

    async def _conclude(self, queued: QueuedInvocation, outcome: Outcome | None) -> None:
        """Store the answer, notify the topic, and only then delete the invocation; each step may happen twice.

        Args:
            outcome: None if the answer was stored earlier, by a process that has since been killed.
        """
        notice = queued.notice
        if outcome is not None:
            notice = await self._store_outcome(queued.invocation, outcome)
            self._store.finish(queued.number, notice)
        if notice is not None:
            try:
                self._check("sns:Publish", notice.topic)
                await self._notifier.tell(notice.topic, notice.message)
            except EmulatorError:
                logger.exception("the end of invocation %s could not be published", queued.invocation.inference_id)
        # The message is in a queue now; it must be on disk before the invocation is deleted.
        self._durability.save(["sqs"])
        self._store.remove(queued.number)

    async def _store_outcome(self, invocation: NewInvocation, outcome: Outcome) -> Notice | None:
        location = invocation.output_location if outcome.reason is None else invocation.failure_location
        if location is not None:
            try:
                self._check("s3:PutObject", _object_arn(location))
                await self._emulator.put_object(
                    *_bucket_and_key(location), outcome.body, content_type=outcome.content_type
                )
            except EmulatorError as error:
                logger.exception("the answer of invocation %s could not be stored", invocation.inference_id)
                if outcome.reason is None:
                    return await self._store_outcome(invocation, failed(f"The output could not be written: {error}"))
        topic = self.spec.success_topic if outcome.reason is None else self.spec.error_topic
        if topic is None:
            return None
        message = notification(
            invocation,
            status=outcome.status,
            region=self._region,
            content_type=outcome.content_type,
            failure_reason=outcome.reason,
        )
        return Notice(topic=topic, message=message)


def _object_arn(location: str) -> str:
    return f"arn:aws:s3:::{location.removeprefix('s3://')}"


def _bucket_and_key(location: str) -> tuple[str, str]:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key
