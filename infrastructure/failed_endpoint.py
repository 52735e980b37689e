"""An endpoint that has failed for good: SageMaker lets it be deleted and nothing else."""

from collections.abc import Callable
from typing import Final

from infrastructure.config import StageConfig
from infrastructure.deployed import ClientOf
from infrastructure.endpoint_changes import described

BEYOND_UPDATE: Final = frozenset({"Failed", "OutOfService"})
"""SageMaker's states in which it refuses every change of an endpoint."""


def remove_failed_endpoint(client: ClientOf, config: StageConfig, *, say: Callable[[str], None] = print) -> bool:
    """Delete the stack of the stage's endpoint, and wait for that, if the endpoint can no longer be updated.

    The jobs in its queue are lost with it, and sent to the next endpoint of its name. Returns whether it was deleted.

    Raises:
        ClientError, WaiterError: AWS refused.
    """
    name, stack = config.default_endpoint, f"{config.stack_name}-Inference"
    endpoint = described(client, name)
    if endpoint.get("EndpointStatus") not in BEYOND_UPDATE:
        return False
    reason = endpoint.get("FailureReason", "SageMaker gives no reason")
    say(f"endpoint {name} is {endpoint['EndpointStatus']}: {reason}\nit cannot be updated; deleting {stack} first")
    formation = client("cloudformation")
    formation.delete_stack(StackName=stack)
    formation.get_waiter("stack_delete_complete").wait(StackName=stack)
    return True
