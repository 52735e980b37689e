"""An endpoint that changes or scales meanwhile: SageMaker refuses to update it, so a deployment waits for it."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.deployed import ClientOf

CHANGING: Final = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
LOOK_SECONDS: Final = 15.0
LOOKS: Final = 160
"""Forty minutes: a container has thirty to start."""
REFUSAL: Final = "Cannot update in-progress endpoint"
"""SageMaker's words, in the reason that CloudFormation gives for the endpoint's failure."""


def await_change(
    client: ClientOf,
    endpoint: str,
    *,
    looks: int = LOOKS,
    look_seconds: float = LOOK_SECONDS,
    say: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the endpoint of this name neither changes nor scales; False if it still does after all looks.

    Raises:
        ClientError: AWS refused.
    """
    said = ""
    for _ in range(looks):
        status = described(client, endpoint).get("EndpointStatus", "")
        if status not in CHANGING:
            return True
        if status != said:
            say(f"endpoint {endpoint} is {status}; waiting until SageMaker has finished that")
            said = status
        sleep(look_seconds)
    return False


def described(client: ClientOf, endpoint: str) -> Mapping[str, Any]:
    """The endpoint as SageMaker describes it; empty if there is none.

    Raises:
        ClientError: AWS refused.
    """
    try:
        found: Mapping[str, Any] = client("sagemaker").describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "Could not find" not in error.response.get("Error", {}).get("Message", ""):
            raise
        return {}
    return found


def was_refused(client: ClientOf, stack: str, *, since: datetime) -> bool:
    """Whether an update of `stack` failed after `since` because its endpoint had begun to change.

    Raises:
        ClientError: AWS refused.
    """
    pages = client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    try:
        for page in pages:
            for event in page["StackEvents"]:
                if event["Timestamp"] < since:
                    return False
                if REFUSAL in event.get("ResourceStatusReason", ""):
                    return True
    except ClientError as error:
        if "does not exist" not in error.response.get("Error", {}).get("Message", ""):
            raise
    return False


def finish_rollback(client: ClientOf, stack: str) -> None:
    """Complete the roll-back of `stack` if the changing endpoint has stopped that too.

    Raises:
        ClientError, WaiterError: AWS refused.
    """
    formation = client("cloudformation")
    if formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] != "UPDATE_ROLLBACK_FAILED":
        return
    formation.continue_update_rollback(StackName=stack)
    formation.get_waiter("stack_rollback_complete").wait(StackName=stack)
