"""A deployment waits for an endpoint that is changing or scaling: SageMaker would refuse the update."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infrastructure.endpoint_changes import LOOKS, await_change, finish_rollback, was_refused


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

    settled = await_change(lambda _: sagemaker, "GenerateOnCloud", say=told.append, sleep=slept.append)

    assert settled
    assert len(slept) == looks
    assert [line.split(" is ")[1].split(";")[0] for line in told] == said


def test_it_gives_up_after_forty_minutes() -> None:
    sagemaker, slept = SageMaker(iter(["Updating"] * (LOOKS + 1))), list[float]()

    assert not await_change(lambda _: sagemaker, "GenerateOnCloud", say=lambda _: None, sleep=slept.append)
    assert sum(slept) == 40 * 60


BEGAN = datetime(2026, 11, 30, 12, tzinfo=UTC)
REFUSED = (
    'Resource handler returned message: "Cannot update in-progress endpoint '
    '"arn:aws:sagemaker:eu-central-1:000000000000:endpoint/generateoncloud". (Service: SageMaker, Status Code: 400)'
)


class CloudFormation:
    """A stack with these events, newest first: minutes since BEGAN and the reason."""

    def __init__(self, *events: tuple[int, str], status: str = "UPDATE_ROLLBACK_COMPLETE") -> None:
        self._events, self._status = events, status
        self.calls: list[str] = []

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_stack_events"
        return self

    def paginate(self, *, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        return [
            {
                "StackEvents": [
                    {"Timestamp": BEGAN + timedelta(minutes=minutes)}
                    | ({"ResourceStatusReason": reason} if reason else {})
                ]
            }
            for minutes, reason in self._events
        ]

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackStatus": self._status}]}

    def continue_update_rollback(self, *, StackName: str) -> None:  # noqa: N803
        self.calls.append(f"continue {StackName}")

    def get_waiter(self, name: str) -> Any:
        assert name == "stack_rollback_complete"
        return self

    def wait(self, *, StackName: str) -> None:  # noqa: N803
        self.calls.append(f"wait {StackName}")


@pytest.mark.parametrize(
    ("events", "refused"),
    [
        ([(9, ""), (8, REFUSED), (1, "User Initiated"), (-5, REFUSED)], True),
        ([(9, ""), (8, "ResourceLimitExceeded"), (1, "User Initiated"), (-5, REFUSED)], False),
        ([], False),
    ],
    ids=["meanwhile", "for another reason", "no stack yet"],
)
def test_an_update_that_was_refused_because_the_endpoint_began_to_change_is_known_by_its_reason(
    events: list[tuple[int, str]], refused: bool
) -> None:
    formation = CloudFormation(*events)

    assert was_refused(lambda _: formation, "GenerateOnCloud-Inference", since=BEGAN) is refused


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        ("UPDATE_ROLLBACK_FAILED", ["continue GenerateOnCloud-Inference", "wait GenerateOnCloud-Inference"]),
        ("UPDATE_ROLLBACK_COMPLETE", []),
    ],
)
def test_a_roll_back_that_the_changing_endpoint_stopped_too_is_completed(status: str, calls: list[str]) -> None:
    formation = CloudFormation(status=status)

    finish_rollback(lambda _: formation, "GenerateOnCloud-Inference")

    assert formation.calls == calls
