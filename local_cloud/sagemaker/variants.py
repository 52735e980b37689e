"""What SageMaker does not change: the instance type of a variant that scales, and an endpoint that is changing."""

from collections.abc import Mapping
from typing import Any

from local_cloud.sagemaker.records import EndpointStatus, Kind
from local_cloud.sagemaker.scaling import Scaling
from local_cloud.sagemaker.store import SageMakerStore


def why_type_stays(
    store: SageMakerStore, scaling: Scaling, kind: Kind, name: str, properties: Mapping[str, Any]
) -> str | None:
    """Why an endpoint or its configuration cannot become `properties`; None if nothing prevents it."""
    for endpoint in store.list(Kind.ENDPOINT):
        config = str(endpoint.properties["EndpointConfigName"]).rsplit("/", 1)[-1]
        before, after = _variant(store, config), None
        if kind is Kind.ENDPOINT and endpoint.name == name:
            after = _variant(store, str(properties["EndpointConfigName"]).rsplit("/", 1)[-1])
        elif kind is Kind.ENDPOINT_CONFIG and config == name:
            after = _first(properties)
        if before is None or after is None or before.get("VariantName") != after.get("VariantName"):
            continue
        variant, old, new = after.get("VariantName"), before.get("InstanceType"), after.get("InstanceType")
        if old != new and scaling.scales(endpoint.name, str(variant)):
            return (
                f"Variant {variant} of endpoint {endpoint.name} is a scalable target: deregister it before you "
                f"change its instance type from {old} to {new}."
            )
    return None


def why_update_is_refused(store: SageMakerStore, kind: Kind, name: str) -> str | None:
    """Why this endpoint, or the endpoints with this configuration or model, cannot be updated now; None: they can.

    On AWS a new configuration or model is a new resource and only `UpdateEndpoint` is refused; here it is changed in
    place, which updates its endpoints at once.
    """
    for endpoint in store.list(Kind.ENDPOINT):
        config = str(endpoint.properties["EndpointConfigName"]).rsplit("/", 1)[-1]
        model = str((_variant(store, config) or {}).get("ModelName", "")).rsplit("/", 1)[-1]
        named = {Kind.ENDPOINT: endpoint.name, Kind.ENDPOINT_CONFIG: config, Kind.MODEL: model}
        if named.get(kind) != name:
            continue
        if endpoint.status is EndpointStatus.UPDATING:
            return f'Cannot update in-progress endpoint "{endpoint.arn}".'
        if endpoint.status is EndpointStatus.FAILED and kind is Kind.ENDPOINT:
            return f'Cannot update failed endpoint "{endpoint.arn}".'
    return None


def _variant(store: SageMakerStore, config: str) -> Mapping[str, Any] | None:
    found = store.get(Kind.ENDPOINT_CONFIG, config)
    return None if found is None else _first(found.properties)


def _first(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next(iter(config.get("ProductionVariants") or ()), None)
