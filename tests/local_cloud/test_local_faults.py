"""Notifications that get lost, doubled and delayed on purpose."""

import asyncio
from typing import Any

import pytest

from local_cloud.faults import NotificationFaults
from local_cloud.sagemaker.notifier import FaultyNotifier


class Topics:
    """What was published, in order."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def publish(self, topic_arn: str, message: str) -> None:
        assert topic_arn == "topic"
        self.messages.append(message)


def told(count: int, **faults: Any) -> list[str]:
    """The messages that arrived of `count` that were sent."""
    topics = Topics()

    async def tell() -> None:
        notifier = FaultyNotifier(topics, NotificationFaults(delay_seconds=0.001, **faults))
        for number in range(count):
            await notifier.tell("topic", str(number))
        # What comes later has a task of its own.
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(tell())
    return topics.messages


def test_without_shares_every_message_arrives_once_in_order() -> None:
    assert told(20) == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("faults", "arrivals"),
    [({"lost": 1.0}, 0), ({"doubled": 1.0}, 2), ({"delayed": 1.0}, 1)],
)
def test_a_share_of_all_reaches_every_message(faults: dict[str, float], arrivals: int) -> None:
    assert sorted(told(5, **faults)) == sorted([str(number) for number in range(5)] * arrivals)


def test_the_same_seed_draws_the_same_faults() -> None:
    first, again, other = (set(told(60, lost=0.5, seed=seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert 10 < len(first) < 50


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"lost": 2}, "together at most 1"),
        ({"lost": -0.1}, "together at most 1"),
        ({"lost": 0.6, "doubled": 0.6}, "together at most 1"),
        ({"gone": 0.1}, "JSON object of delay_seconds, delayed, doubled, lost, seed"),
        ({"lost": "all"}, "numbers"),
        ([], "JSON object"),
    ],
)
def test_faults_that_cannot_be_are_refused_by_what_was_received(document: Any, words: str) -> None:
    with pytest.raises(ValueError, match="received") as refused:
        NotificationFaults.of(document)

    assert words in str(refused.value)
