"""A deployment waits for an endpoint that is changing or scaling: SageMaker would refuse the update."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infrastructure.config import StageConfig
from infrastructure.failed_endpoint import LOOKS, await_change

CONFIG = StageConfig()


class SageMaker:
    """Its endpoint has one state after the other; None: there is no endpoint."""

    def __init__(self, states: Iterator[str | None]) -> None:
        self._states = states

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        state = next(self._states)
        if state is None:
            message = f'Could not find endpoint "{EndpointName}".'
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "DescribeEndpoint")
        return {"EndpointStatus": state}


@pytest.mark.parametrize(
    ("states", "looks", "said"),
    [
        ([None], 0, []),
        (["InService"], 0, []),
        (["Failed"], 0, []),
        (["Updating", "Updating", "InService"], 2, ["Updating"]),
        (["Updating", "RollingBack", "InService"], 2, ["Updating", "RollingBack"]),
        (["Creating", "Failed"], 1, ["Creating"]),
    ],
)
def test_it_waits_until_the_endpoint_has_changed_and_says_why_once(
    states: list[str | None], looks: int, said: list[str]
) -> None:
    sagemaker, slept, told = SageMaker(iter(states)), list[float](), list[str]()

    settled = await_change(lambda _: sagemaker, CONFIG, say=told.append, sleep=slept.append)

    assert settled
    assert len(slept) == looks
    assert [line.split(" is ")[1].split(";")[0] for line in told] == said


def test_it_gives_up_after_forty_minutes() -> None:
    sagemaker, slept = SageMaker(iter(["Updating"] * (LOOKS + 1))), list[float]()

    assert not await_change(lambda _: sagemaker, CONFIG, say=lambda _: None, sleep=slept.append)
    assert sum(slept) == 40 * 60
