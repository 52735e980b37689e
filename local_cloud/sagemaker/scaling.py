"""Scaling from and to zero, as far as one machine can do it: how long an endpoint may idle before it sleeps.

On AWS, an alarm on an empty backlog runs the policy that sets the instances to zero. Here the policy's cooldown, which
the stack makes as long as that alarm waits, sets the time.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from local_cloud.ministack.emulator import Emulator, ResourceType
from local_cloud.sagemaker.records import Kind
from local_cloud.sagemaker.store import SageMakerStore
from local_cloud.settings import ACCOUNT


class Scaling:
    """Scalable targets and scaling policies; `changed` is called after each change."""

    def __init__(self, store: SageMakerStore, *, region: str, changed: Callable[[], None]) -> None:
        self._store = store
        self._region = region
        self._changed = changed

    def register(self, emulator: Emulator) -> None:
        """Register the two types with CloudFormation."""
        kinds = {
            "AWS::ApplicationAutoScaling::ScalableTarget": (Kind.SCALABLE_TARGET, _target_id),
            "AWS::ApplicationAutoScaling::ScalingPolicy": (Kind.SCALING_POLICY, self._policy_arn),
        }
        for name, (kind, identify) in kinds.items():
            emulator.register(
                name,
                ResourceType(
                    create=partial(self._create, kind, identify),
                    update=partial(self._update, kind),
                    delete=partial(self._delete, kind),
                ),
            )

    def idle_seconds(self, endpoint: str) -> float | None:
        """Seconds that `endpoint` may be idle before its container is stopped; None: it always runs."""
        for target in self._store.list(Kind.SCALABLE_TARGET):
            properties = target.properties
            named = str(properties.get("ResourceId", "")).startswith(f"endpoint/{endpoint}/")
            if not named or int(properties.get("MinCapacity", 0)) > 0:
                continue
            for policy in self._store.list(Kind.SCALING_POLICY):
                step = policy.properties.get("StepScalingPolicyConfiguration") or {}
                exact = step.get("AdjustmentType") == "ExactCapacity"
                if exact and policy.properties.get("ScalingTargetId") == target.name:
                    return float(step.get("Cooldown", 0))
        return None

    def scales(self, endpoint: str, variant: str) -> bool:
        """Whether a variant is a scalable target."""
        resource = f"endpoint/{endpoint}/variant/{variant}"
        return any(each.properties.get("ResourceId") == resource for each in self._store.list(Kind.SCALABLE_TARGET))

    def put_target(self, request: dict[str, Any]) -> None:
        """Create or change a target, as the API defines."""
        self._put(Kind.SCALABLE_TARGET, _target_id("", request, ""), request)

    def asked_beside(self, request: Mapping[str, Any]) -> list[tuple[str, str]]:
        """SageMaker's actions and resources that the caller needs as well to register an endpoint."""
        name = str(request.get("ResourceId", "")).removeprefix("endpoint/").partition("/")[0]
        endpoint = self._store.get(Kind.ENDPOINT, name)
        if endpoint is None:
            return []
        config = str(endpoint.properties["EndpointConfigName"]).rsplit("/", 1)[-1]
        found = self._store.get(Kind.ENDPOINT_CONFIG, config)
        return [
            ("sagemaker:DescribeEndpoint", endpoint.arn),
            ("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint.arn),
            *([("sagemaker:DescribeEndpointConfig", found.arn)] if found is not None else []),
        ]

    def has_target(self, request: dict[str, Any]) -> bool:
        """Whether the target that a request is about is registered."""
        return self._store.get(Kind.SCALABLE_TARGET, _target_id("", request, "")) is not None

    def put_policy(self, request: dict[str, Any]) -> str:
        """Create or change a policy of a target, as the API defines; returns its ARN."""
        properties = request | {"ScalingTargetId": _target_id("", request, "")}
        return self._put(Kind.SCALING_POLICY, self._policy_arn("", properties, ""), properties)[0]

    def remove_target(self, request: dict[str, Any]) -> None:
        """Remove a target and, as AWS does, its policies."""
        target = _target_id("", request, "")
        for policy in self._store.list(Kind.SCALING_POLICY):
            if policy.properties.get("ScalingTargetId") == target:
                self._store.delete(Kind.SCALING_POLICY, policy.name)
        self._delete(Kind.SCALABLE_TARGET, target, {})

    def _create(
        self,
        kind: Kind,
        identify: Callable[[str, dict[str, Any], str], str],
        logical_id: str,
        properties: dict[str, Any],
        stack: str,
    ) -> tuple[str, dict[str, str]]:
        return self._put(kind, identify(logical_id, properties, stack), properties)

    def _update(
        self, kind: Kind, physical_id: str, _old: dict[str, Any], properties: dict[str, Any], _stack: str
    ) -> tuple[str, dict[str, str]]:
        return self._put(kind, physical_id, properties)

    def _put(self, kind: Kind, physical_id: str, properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        self._store.put(kind, physical_id, physical_id, properties)
        self._changed()
        return physical_id, {"Id": physical_id, "Arn": physical_id}

    def _delete(self, kind: Kind, physical_id: str, _properties: dict[str, Any]) -> None:
        self._store.delete(kind, physical_id)
        self._changed()

    def _policy_arn(self, logical_id: str, properties: dict[str, Any], stack: str) -> str:
        name = properties.get("PolicyName") or f"{stack}-{logical_id}"
        target = properties.get("ScalingTargetId", "")
        return f"arn:aws:autoscaling:{self._region}:{ACCOUNT}:scalingPolicy:local:{target}:policyName/{name}"


def _target_id(_logical_id: str, properties: dict[str, Any], _stack: str) -> str:
    keys = ("ResourceId", "ScalableDimension", "ServiceNamespace")
    return "|".join(str(properties.get(key, "")) for key in keys)
