"""SageMaker creates no more instances than the account's quotas allow, and an update needs its own next to the old."""

from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.account import Account, quota_name
from local_cloud.sagemaker.records import EndpointStatus, Kind
from local_cloud.sagemaker.specs import NotDeployableError, found
from local_cloud.sagemaker.store import SageMakerStore


class OverQuotaError(NotDeployableError):
    """The account may not have so many instances."""


def check_quota(
    store: SageMakerStore,
    account: Account,
    name: str,
    properties: Mapping[str, Any],
    *,
    is_awake: Callable[[str], bool],
) -> None:
    """Check that endpoint `name` may be created or updated with these properties.

    Raises:
        OverQuotaError: with SageMaker's words.
        NotDeployableError: its configuration does not exist.
    """
    kind, wanted = _instances(store, properties)
    running = 0
    for other in store.list(Kind.ENDPOINT):
        if other.name == name and not is_awake(name):
            wanted = 0  # it keeps the number of instances that scaling has chosen
        elif other.status is not EndpointStatus.FAILED and is_awake(other.name):
            same, count = _instances(store, other.properties)
            running += count if same == kind else 0
    quota = quota_name(kind)
    allowed = account.quotas().get(quota)
    if allowed is not None and wanted and running + wanted > allowed:
        raise OverQuotaError(
            f"The account-level service limit '{quota}' is {allowed:g} Instances, with current utilization of "
            f"{running} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to request "
            "an increase for this quota. (ResourceLimitExceeded)"
        )


def _instances(store: SageMakerStore, properties: Mapping[str, Any]) -> tuple[str, int]:
    """Type and number of the instances that an endpoint starts with."""
    config = found(store, Kind.ENDPOINT_CONFIG, properties["EndpointConfigName"]).properties
    variant: Mapping[str, Any] = next(iter(config.get("ProductionVariants") or ()), {})
    return str(variant.get("InstanceType", "")), max(1, int(variant.get("InitialInstanceCount", 1)))
