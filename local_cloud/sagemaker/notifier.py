"""Publishes how invocations ended: reliably, or as badly as a network may, for the soak test."""

import asyncio
import logging
import random
from typing import Protocol

from local_cloud.faults import NotificationFaults
from local_cloud.ministack.emulator import EmulatorError

logger = logging.getLogger("local_cloud.notifier")


class Topics(Protocol):
    """Publishes messages to topics."""

    async def publish(self, topic_arn: str, message: str) -> None:
        """Raises EmulatorError if the topic does not exist."""


class Notifier:
    """Publishes at once; if that fails, the caller handles it."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def tell(self, topic: str, message: str) -> None:
        """Publish `message`.

        Raises:
            EmulatorError: the topic does not exist.
        """
        await self._topics.publish(topic, message)


class FaultyNotifier(Notifier):
    """Loses, duplicates and delays messages at random; a delayed one is lost if the cloud is killed meanwhile."""

    def __init__(self, topics: Topics, faults: NotificationFaults) -> None:
        super().__init__(topics)
        self._faults = faults
        self._lot = random.Random(faults.seed)
        self._late: set[asyncio.Task[None]] = set()

    async def tell(self, topic: str, message: str) -> None:
        """Publish `message`, or not, or twice, or later; raises the same errors as `Notifier`."""
        drawn, faults = self._lot.random(), self._faults
        if drawn < faults.lost:
            logger.warning("losing a notification on purpose")
        elif drawn < faults.lost + faults.doubled:
            logger.warning("duplicating a notification on purpose")
            self._tell_later(topic, message)
            await super().tell(topic, message)
        elif drawn < faults.lost + faults.doubled + faults.delayed:
            logger.warning("delaying a notification on purpose")
            self._tell_later(topic, message)
        else:
            await super().tell(topic, message)

    def _tell_later(self, topic: str, message: str) -> None:
        seconds = self._lot.uniform(0, self._faults.delay_seconds)

        async def tell() -> None:
            await asyncio.sleep(seconds)
            try:
                await self._topics.publish(topic, message)
            except EmulatorError:
                logger.exception("a late notification could not be published")

        task = asyncio.create_task(tell())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def notifier(topics: Topics, faults: NotificationFaults | None) -> Notifier:
    """The notifier of a local cloud; reliable unless `faults` are given."""
    return Notifier(topics) if faults is None else FaultyNotifier(topics, faults)
