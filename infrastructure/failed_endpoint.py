"""What a deployment needs of the endpoint that is there: no change in progress, and none that failed for good.

SageMaker refuses to update an endpoint while it changes or scales, and lets a failed one be deleted and nothing else.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.config import StageConfig
from infrastructure.deployed import ClientOf

BEYOND_UPDATE: Final = frozenset({"Failed", "OutOfService"})
"""SageMaker's states in which it refuses every change of an endpoint."""


CHANGING: Final = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
LOOK_SECONDS: Final = 15.0
LOOKS: Final = 160
"""Forty minutes: a container has thirty to start."""


def await_change(
    client: ClientOf,
    config: StageConfig,
    *,
    say: Callable[[str], None] = print,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the stage's endpoint neither changes nor scales; False if it still does after all LOOKS.

    Raises:
        ClientError: AWS refused.
    """
    said = ""
    for _ in range(LOOKS):
        status = _described(client, config).get("EndpointStatus", "")
        if status not in CHANGING:
            return True
        if status != said:
            say(f"endpoint {config.default_endpoint} is {status}; waiting until SageMaker has finished that")
            said = status
        sleep(LOOK_SECONDS)
    return False


def remove_failed_endpoint(client: ClientOf, config: StageConfig, *, say: Callable[[str], None] = print) -> bool:
    """Delete the stack of the stage's endpoint, and wait for that, if the endpoint can no longer be updated.

    The jobs in its queue are lost with it, and sent to the next endpoint of its name. Returns whether it was deleted.

    Raises:
        ClientError, WaiterError: AWS refused.
    """
    name, stack = config.default_endpoint, f"{config.stack_name}-Inference"
    endpoint = _described(client, config)
    if endpoint.get("EndpointStatus") not in BEYOND_UPDATE:
        return False
    reason = endpoint.get("FailureReason", "SageMaker gives no reason")
    say(f"endpoint {name} is {endpoint['EndpointStatus']}: {reason}\nit cannot be updated; deleting {stack} first")
    formation = client("cloudformation")
    formation.delete_stack(StackName=stack)
    formation.get_waiter("stack_delete_complete").wait(StackName=stack)
    return True


def _described(client: ClientOf, config: StageConfig) -> Mapping[str, Any]:
    """The endpoint as SageMaker describes it; empty if there is none."""
    try:
        described: Mapping[str, Any] = client("sagemaker").describe_endpoint(EndpointName=config.default_endpoint)
    except ClientError as error:
        if "Could not find" not in error.response.get("Error", {}).get("Message", ""):
            raise
        return {}
    return described
