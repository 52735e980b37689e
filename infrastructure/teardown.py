"""`make destroy`: removes one stage wholly, also what CloudFormation would leave behind or does not know of.

In order: endpoints made by the API with their configurations, models, scaling and alarms; the stacks from the
last to the first; then, unless data is kept, the tables, the emptied buckets and the key that outlive their stack;
log groups.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from infrastructure.config import ConfigError, StageConfig

STACKS = ("-Ops", "-Inference", "")
"""Suffixes, in the order of removal."""
KEY_DAYS = 7
"""KMS's shortest wait before it deletes a key."""
_GONE = ("does not exist", "Could not find", "ResourceNotFound", "NoSuchBucket", "NotFound")
ClientOf = Callable[[str], Any]
"""A boto3 client by service name."""


@dataclass(frozen=True)
class Teardown:
    """Removes what belongs to one stage."""

    config: StageConfig
    client: ClientOf
    say: Callable[[str], None] = print

    def run(self, *, keep_data: bool) -> list[str]:
        """Remove everything; with `keep_data` tables, buckets and their key stay. The names of what stayed.

        Raises:
            ClientError, WaiterError: AWS refused; running it again goes on from there.
        """
        data = self._data()
        for name in self._endpoints():
            self._remove_endpoint(name)
        self._remove_unfinished()
        self._remove_alarms()
        for suffix in STACKS:
            self._remove_stack(self.config.stack_name + suffix)
        if keep_data:
            return [name for _, name in data]
        removers = {
            "AWS::S3::Bucket": self._remove_bucket,
            "AWS::DynamoDB::Table": self._remove_table,
            # Last: until then the data may be wanted after all.
            "AWS::KMS::Key": self._remove_key,
        }
        for kind, remove in removers.items():
            for name in (name for found, name in data if found == kind):
                remove(name)
        self._remove_log_groups()
        return []

    def _data(self) -> list[tuple[str, str]]:
        """Tables, buckets and key of the core stack, by type and name; none when the stack is gone."""
        try:
            pages = self.client("cloudformation").get_paginator("list_stack_resources")
            resources = [
                resource
                for page in pages.paginate(StackName=self.config.stack_name)
                for resource in page["StackResourceSummaries"]
            ]
        except ClientError as error:
            if _is_gone(error):
                return []
            raise
        kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key")
        return [
            (each["ResourceType"], each["PhysicalResourceId"]) for each in resources if each["ResourceType"] in kinds
        ]

    def _endpoints(self) -> Iterator[str]:
        prefix = self.config.endpoint_prefix
        pages = self.client("sagemaker").get_paginator("list_endpoints").paginate(NameContains=prefix)
        names = [endpoint["EndpointName"] for page in pages for endpoint in page["Endpoints"]]
        # The default one goes with its stack.
        return (name for name in names if name.startswith(prefix) and name != self.config.default_endpoint)

    def _remove_endpoint(self, name: str) -> None:
        sagemaker = self.client("sagemaker")
        self.say(f"endpoint {name}")
        config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        for variant in variants:
            self._quietly(partial(self._stop_scaling, name, variant["VariantName"]))
        sagemaker.delete_endpoint(EndpointName=name)
        sagemaker.delete_endpoint_config(EndpointConfigName=config)
        for variant in variants:
            if variant["ModelName"].startswith(self.config.endpoint_prefix):
                self._quietly(partial(sagemaker.delete_model, ModelName=variant["ModelName"]))

    def _remove_unfinished(self) -> None:
        """Configurations and models of endpoints whose making or deletion ended half-way."""
        sagemaker, prefix = self.client("sagemaker"), self.config.endpoint_prefix
        kinds = (
            ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", sagemaker.delete_endpoint_config),
            ("list_models", "Models", "ModelName", sagemaker.delete_model),
        )
        for operation, listed, name, delete in kinds:
            pages = sagemaker.get_paginator(operation).paginate(NameContains=prefix)
            for found in [each[name] for page in pages for each in page[listed] if each[name].startswith(prefix)]:
                self.say(f"{name} {found}")
                self._quietly(partial(delete, **{name: found}))

    def _remove_alarms(self) -> None:
        """Those of endpoints made by the API; the others go with their stacks."""
        cloudwatch = self.client("cloudwatch")
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=self.config.endpoint_prefix)
        names = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
        for start in range(0, len(names), 100):
            self.say(f"alarms {', '.join(names[start : start + 100])}")
            cloudwatch.delete_alarms(AlarmNames=names[start : start + 100])

    def _stop_scaling(self, endpoint: str, variant: str) -> None:
        self.client("application-autoscaling").deregister_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{endpoint}/variant/{variant}",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        )

    def _remove_stack(self, name: str) -> None:
        cloudformation = self.client("cloudformation")
        try:
            cloudformation.describe_stacks(StackName=name)
        except ClientError as error:
            if _is_gone(error):
                return
            raise
        self.say(f"stack {name}")
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 5})

    def _remove_bucket(self, name: str) -> None:
        self.say(f"bucket {name}")
        s3 = self.client("s3")

        def remove() -> None:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
                if objects:
                    s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
            for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
                for upload in page.get("Uploads", ()):
                    s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            s3.delete_bucket(Bucket=name)

        self._quietly(remove)

    def _remove_table(self, name: str) -> None:
        self.say(f"table {name}")
        self._quietly(lambda: self.client("dynamodb").delete_table(TableName=name))

    def _remove_key(self, key_id: str) -> None:
        """Disabled at once, deleted after a week: KMS deletes no sooner."""
        kms = self.client("kms")
        if kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return
        self.say(f"key {key_id}, in {KEY_DAYS} days")
        self._quietly(partial(kms.schedule_key_deletion, KeyId=key_id, PendingWindowInDays=KEY_DAYS))

    def _remove_log_groups(self) -> None:
        """Those SageMaker made for the endpoints; the functions' own went with the stack."""
        logs = self.client("logs")
        prefix = f"/aws/sagemaker/Endpoints/{self.config.endpoint_prefix}"
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                self.say(f"log group {group['logGroupName']}")
                logs.delete_log_group(logGroupName=group["logGroupName"])

    @staticmethod
    def _quietly(remove: Callable[[], object]) -> None:
        """Remove what may be gone already."""
        try:
            remove()
        except ClientError as error:
            if not _is_gone(error):
                raise


def _is_gone(error: ClientError) -> bool:
    said = error.response.get("Error", {})
    return any(words in f"{said.get('Code', '')} {said.get('Message', '')}" for words in _GONE)


def _client(session: boto3.session.Session, service: str) -> Any:
    return session.client(service)  # type: ignore[call-overload]


def main(arguments: list[str] | None = None) -> int:
    """Ask, then remove; 1 and the reason when that fails, 2 when it was not confirmed."""
    parser = argparse.ArgumentParser(prog="make destroy", description=__doc__.splitlines()[0])
    parser.add_argument("--stage", default="", help="as deployed; empty for the only one")
    parser.add_argument("--keep-data", action="store_true", help="leave tables, buckets and their key")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(arguments)
    try:
        config = StageConfig.from_context({"stage": chosen.stage})
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    session = boto3.session.Session()
    try:
        account = session.client("sts").get_caller_identity()["Account"]
        kept = "tables, buckets and their key are kept" if chosen.keep_data else "with all jobs, pictures and models"
        question = f"remove {config.stack_name} from account {account}, region {session.region_name}, {kept}? "
        if not chosen.yes and input(f"{question}Type its name: ") != config.stack_name:
            print("not removed", file=sys.stderr)
            return 2
        left = Teardown(config, partial(_client, session)).run(keep_data=chosen.keep_data)
    except (ClientError, WaiterError) as error:
        print(f"{error}\nRun it again: it goes on from here.", file=sys.stderr)
        return 1
    print(f"{config.stack_name} is gone" + (f"; kept: {', '.join(left)}" if left else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
