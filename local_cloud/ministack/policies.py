"""What policies allow, by the same evaluation that the running local cloud uses."""

from collections.abc import Mapping, Sequence
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from local_cloud.settings import ACCOUNT


def role_may(
    statements: Sequence[Mapping[str, Any]],
    action: str,
    resource: str,
    *,
    role: str,
    region: str,
    condition_keys: Mapping[str, Any],
) -> bool:
    """Whether a role with these statements may do `action` on `resource`."""
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=region,
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={name.lower(): value for name, value in condition_keys.items()},
    )
    document = {"Statement": [dict(statement) for statement in statements]}
    return bool(evaluate(context, [parse_policy_document(document)]).decision == "Allow")
