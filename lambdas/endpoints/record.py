"""The endpoints table: one row for each endpoint created through the API; the template's endpoint has no row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from generate_on_cloud.contract.endpoints import EndpointStatus
from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import Action, Check, Condition, from_item, timestamp, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "listed-endpoint"
NOT_BEING_DELETED = "an endpoint that is not being deleted"


@dataclass(frozen=True, kw_only=True)
class EndpointRecord:
    endpoint: str
    """SageMaker's name; the model, the configuration and the alarms share it."""
    owner: str
    instance_type: str
    min_instances: int
    max_instances: int
    idle_minutes: int
    backlog_per_instance: float
    created_at: datetime
    variant: str = "main"
    image: str | None = None
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    status: EndpointStatus = EndpointStatus.CREATING
    """SageMaker's latest status; `Deleting` from the request to delete it until its end."""
    reason: str | None = None
    instance_count: int = 0
    version: int = 1
    """Increases with each change of the scaling."""
    scaled: int = 0
    """The version whose scaling is registered with AWS."""
    scale_out_cooldown_seconds: int = 60

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EndpointRecord":
        return cls(
            endpoint=row["endpoint"],
            owner=row["owner"],
            instance_type=row["instance_type"],
            min_instances=int(row["min_instances"]),
            max_instances=int(row["max_instances"]),
            idle_minutes=int(row["idle_minutes"]),
            backlog_per_instance=float(row["backlog_per_instance"]),
            created_at=datetime.fromisoformat(row["created_at"]),
            variant=row["variant"],
            image=row.get("image"),
            users=tuple(row.get("users", ())),
            roles=tuple(row.get("roles", ())),
            status=EndpointStatus(row["status"]),
            reason=row.get("reason") or None,
            instance_count=int(row.get("instance_count", 0)),
            version=int(row["version"]),
            scaled=int(row["scaled"]),
        )


@dataclass(frozen=True)
class EndpointStore:
    """A row is deleted once nothing of its endpoint is left in AWS; only then can the name be used again."""

    client: "DynamoDBClient"
    table: str

    def get(self, endpoint: str) -> EndpointRecord | None:
        key = to_item({"endpoint": endpoint})
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else EndpointRecord.from_row(from_item(item))

    def taking_jobs(self, endpoint: str) -> Action:
        """The condition for a transaction that it exists and is not being deleted."""
        return Check(
            table=self.table,
            key={"endpoint": endpoint},
            values={":deleting": EndpointStatus.DELETING.value},
            condition=Condition(NOT_BEING_DELETED, "attribute_exists(endpoint) AND #status <> :deleting"),
            names=["status"],
        )

    def list(self) -> list[EndpointRecord]:
        """All of them by name; one call per some thousands."""
        rows: list[dict[str, Any]] = []
        start: Any = {}
        while True:
            answer = self.client.query(
                TableName=self.table,
                IndexName=INDEX,
                KeyConditionExpression="listed = :listed",
                ExpressionAttributeValues=to_item({":listed": "1"}),
                **start,
            )
            rows += [from_item(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return [EndpointRecord.from_row(row) for row in rows]
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def add(self, record: EndpointRecord) -> bool:
        """Add a new one; False: the name is taken."""
        row = {
            "endpoint": record.endpoint,
            "listed": "1",
            "owner": record.owner,
            "instance_type": record.instance_type,
            "created_at": timestamp(record.created_at),
            "variant": record.variant,
            "image": record.image,
            "status": record.status.value,
            "version": record.version,
            "scaled": record.scaled,
            **_changeable(record),
        }
        try:
            self.client.put_item(
                TableName=self.table, Item=to_item(row), ConditionExpression="attribute_not_exists(endpoint)"
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

    def change(self, seen: EndpointRecord, changed: EndpointRecord) -> bool:
        """Write its scaling and who may use it, unless somebody changed or deleted it since it was `seen`."""
        values = {**_changeable(changed), "version": seen.version + 1}
        return self._update(
            seen.endpoint,
            values,
            condition="version = :seen AND #status <> :deleting",
            more={":seen": seen.version, ":deleting": EndpointStatus.DELETING.value},
        )

    def observe(self, seen: EndpointRecord, *, status: EndpointStatus, reason: str | None, instance_count: int) -> None:
        """Write what SageMaker says, unless it is being deleted."""
        if (seen.status, seen.reason, seen.instance_count) == (status, reason, instance_count):
            return
        self._update(
            seen.endpoint,
            {"status": status.value, "reason": reason or "", "instance_count": instance_count},
            condition="attribute_exists(endpoint) AND #status <> :deleting",
            more={":deleting": EndpointStatus.DELETING.value},
        )

    def mark_scaled(self, seen: EndpointRecord) -> None:
        """Note that this version's scaling is registered with AWS."""
        self._update(seen.endpoint, {"scaled": seen.version}, condition="attribute_exists(endpoint)")

    def mark_deleting(self, endpoint: str) -> None:
        """From now on it is only being removed; does nothing if it no longer exists."""
        self._update(endpoint, {"status": EndpointStatus.DELETING.value}, condition="attribute_exists(endpoint)")

    def forget(self, endpoint: str) -> None:
        """Delete the row: nothing of the endpoint is left."""
        self.client.delete_item(TableName=self.table, Key=to_item({"endpoint": endpoint}))

    def _update(
        self, endpoint: str, values: Mapping[str, object], *, condition: str, more: Mapping[str, object] | None = None
    ) -> bool:
        names = {*values, "status"} if "#status" in condition else set(values)
        try:
            self.client.update_item(
                TableName=self.table,
                Key=to_item({"endpoint": endpoint}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues=to_item(
                    {**{f":{name}": value for name, value in values.items()}, **(more or {})}
                ),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True


def _changeable(record: EndpointRecord) -> dict[str, object]:
    return {
        "min_instances": record.min_instances,
        "max_instances": record.max_instances,
        "idle_minutes": record.idle_minutes,
        # DynamoDB's numbers are decimal; the text of a float is the shortest that reads back as the same float.
        "backlog_per_instance": str(record.backlog_per_instance),
        "users": list(record.users),
        "roles": list(record.roles),
    }
