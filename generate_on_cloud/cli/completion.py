"""What Tab offers for values: names and ids of this call's service, and the contract's tables.

A service that does not answer offers nothing; completion never prints an error.
"""

from collections.abc import Callable, Iterator

import httpx

from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetStatus, AssetType
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.samplers import SAMPLERS, SCHEDULE_LABELS

MOST = 100
Names = list[str]


def _from_service(read: Callable[[GenerateOnCloud], Iterator[str]]) -> Callable[[str], Names]:
    def complete(incomplete: str) -> Names:
        try:
            with open_cloud() as cloud:
                return [name for name in read(cloud) if name.startswith(incomplete)][:MOST]
        except (CloudError, OSError, httpx.HTTPError):
            return []

    return complete


def _from_table(names: Callable[[], Iterator[str]]) -> Callable[[str], Names]:
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def _assets(asset_type: str | None) -> Callable[[GenerateOnCloud], Iterator[str]]:
    return lambda cloud: (
        asset.name for asset in cloud.assets.list(asset_type=asset_type) if asset.status is not AssetStatus.FAILED
    )


job_ids = _from_service(lambda cloud: (job.job_id for job in cloud.jobs.page(limit=MOST).jobs))
asset_names = _from_service(_assets(None))
checkpoint_names = _from_service(_assets(AssetType.CHECKPOINT))
endpoint_names = _from_service(lambda cloud: (endpoint.name for endpoint in cloud.endpoints.list()))
user_names = _from_service(lambda cloud: (user.name for user in cloud.users.list()))
role_names = _from_service(lambda cloud: (role.name for role in cloud.roles.list()))
key_ids = _from_service(lambda cloud: (key.key_id for key in cloud.keys.list()))
permission_names = _from_table(lambda: iter([one.value for one in Permission]))
asset_types = _from_table(lambda: iter([one.value for one in ASSET_TYPES]))
sampler_names = _from_table(lambda: iter(SAMPLERS))
scheduler_names = _from_table(lambda: iter(SCHEDULE_LABELS.values()))
task_names = _from_table(lambda: (task.value.replace("_", "-") for task in Task))
