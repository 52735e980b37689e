"""The jobs table: reads, annotates and deletes jobs; `counts` creates them, `transitions` changes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import CONDITION_FAILED, error_code
from lambdas.aws.rows import from_item, read_record, to_item
from lambdas.jobs.record import JobRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class JobStore:
    client: "DynamoDBClient"
    table: str

    def get(self, job_id: str) -> JobRecord | None:
        answer = self.client.get_item(TableName=self.table, Key=to_item({"job_id": job_id}), ConsistentRead=True)
        return read_record(JobRecord, from_item(answer["Item"])) if "Item" in answer else None

    def delete(self, job: JobRecord) -> bool:
        """Delete the row of a finished job; False if it no longer exists."""
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=to_item({"job_id": job.job_id}),
                ConditionExpression="#status = :seen",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item({":seen": job.status}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True

    def annotate(
        self, job: JobRecord, *, label: str | None, starred: bool | None, metadata: Mapping[str, str] | None = None
    ) -> JobRecord | None:
        """Set what a user notes about a job in any state; None leaves it as it is. None if the job no longer exists."""
        notes = {"label": label, "starred": starred, "metadata": metadata}
        values = {name: value for name, value in notes.items() if value is not None}
        if not values:
            return job
        try:
            answer = self.client.update_item(
                TableName=self.table,
                Key=to_item({"job_id": job.job_id}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression="attribute_exists(job_id)",
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues=to_item({f":{name}": value for name, value in values.items()}),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return None
        return read_record(JobRecord, from_item(answer["Attributes"]))

    def log_delivery(self, job_id: str, line: Mapping[str, object]) -> None:
        """Record an attempt to deliver the job's webhook; does nothing if the job no longer exists."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=to_item({"job_id": job_id}),
                UpdateExpression="SET deliveries = list_append(if_not_exists(deliveries, :none), :line)",
                ConditionExpression="attribute_exists(job_id)",
                ExpressionAttributeValues=to_item({":none": [], ":line": [dict(line)]}),
            )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
