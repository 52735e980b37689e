"""A process that ends between two calls of AWS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.lambdas.cloud import Cloud


class Crash(BaseException):
    """The function's process ends here; no code of ours may catch it."""


@dataclass
class CallsLeft:
    number: int
    crashed: bool = False

    def count_down(self, **_: Any) -> None:
        self.number -= 1
        if self.number < 0:
            raise Crash


@contextmanager
def crash_after(cloud: Cloud, calls: int) -> Iterator[CallsLeft]:
    """The process inside ends instead of its call number `calls + 1` to S3 or DynamoDB, if it makes so many."""
    left = CallsLeft(calls)
    clients = (cloud.s3, cloud.dynamodb)
    for client in clients:
        client.meta.events.register("before-send", left.count_down, unique_id="crash")
    try:
        yield left
    except Crash:
        left.crashed = True
    finally:
        for client in clients:
            client.meta.events.unregister("before-send", unique_id="crash")
