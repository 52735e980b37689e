"""A user `visitor` with each role there is, and with roles of one permission."""

from generate_on_cloud.contract.access import BUILT_IN_ROLES, Permission
from lambdas.access.caller import key_row_id
from lambdas.aws.rows import to_item
from tests.lambdas.cloud import Cloud

ROLES = {
    **BUILT_IN_ROLES,
    "nothing": frozenset(),
    **{f"only-{one.value.replace(':', '-')}": frozenset({one}) for one in Permission},
}


def enter(cloud: Cloud, role: str, **more: object) -> dict[str, str]:
    """The header of a new key of a user `visitor` with `role`."""
    key = f"key-of-{role}"
    row = {"access_id": key_row_id(key), "user": "visitor", "role": role, **more}
    cloud.dynamodb.put_item(TableName="access", Item=to_item(row))
    if role not in BUILT_IN_ROLES and role in ROLES:
        permissions = [permission.value for permission in ROLES[role]]
        cloud.dynamodb.put_item(
            TableName="access", Item=to_item({"access_id": f"role#{role}", "permissions": permissions})
        )
    return {"x-api-key": key}
