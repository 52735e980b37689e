"""`make destroy`: removes one stage completely, including what CloudFormation would leave behind or does not know.

In order: endpoints created through the API with their configurations, models, scaling and alarms; the stacks that
depend on the core; the container's images; then, unless data is kept, the emptied buckets, the tables and the key; the
core stack; log groups.
The core stack goes after its data: only it knows their names, and CloudFormation deletes no bucket that is not empty.
So an interrupted teardown can always be resumed by running it again.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from infrastructure.config import ConfigError, StageConfig
from infrastructure.deployed import HOW_TO_GIVE_ONE, NO_ACCOUNT, ClientOf, clients_of, session_here, stack_resources
from infrastructure.old_images import delete_all_images

ABOVE_CORE = ("-Ops", "-Inference")
"""Suffixes of the stacks that depend on the core, in the order of removal."""
DATA = frozenset({"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"})
KEEPING = frozenset({"Retain", "RetainExceptOnCreate"})
"""Deletion policies with which a resource outlives its stack."""
EMPTYINGS = 5
"""How often to empty a bucket that is still being written to."""
KEY_DAYS = 7
"""KMS's shortest wait before it deletes a key."""
_GONE = ("does not exist", "Could not find", "ResourceNotFound", "NoSuchBucket", "NotFound")


class DataWouldGoError(Exception):
    """Data is to be kept, but would be deleted with the stack."""


@dataclass(frozen=True)
class Held:
    """A bucket, table or key in the core stack."""

    kind: str
    name: str
    retained: bool
    """Whether it outlives its stack."""


@dataclass(frozen=True)
class Teardown:
    """Removes everything that belongs to one stage."""

    config: StageConfig
    client: ClientOf
    say: Callable[[str], None] = print

    def run(self, *, keep_data: bool) -> list[str]:
        """Remove everything; with `keep_data` tables, buckets and their key stay. Returns the names of what stayed.

        Raises:
            DataWouldGoError: data is to be kept but would be deleted with its stack; nothing was removed.
            ClientError, WaiterError: AWS refused; run it again to continue.
        """
        data = self._data()
        if keep_data and (going := [held.name for held in data if not held.retained]):
            message = (
                f"{', '.join(going)} would be deleted with the stack, which was deployed with keep_data=false; "
                "deploy it with -c keep_data=true first, or destroy it without keeping data"
            )
            raise DataWouldGoError(message)
        for name in self._endpoints():
            self._remove_endpoint(name)
        self._remove_unfinished()
        self._remove_alarms()
        for suffix in ABOVE_CORE:
            self._remove_stack(self.config.stack_name + suffix)
        delete_all_images(self.client, self.config, say=self.say)
        if not keep_data:
            self._remove_data(data)
        self._remove_stack(self.config.stack_name)
        if keep_data:
            return [held.name for held in data]
        self._remove_log_groups()
        return []

    def _remove_data(self, data: Sequence[Held]) -> None:
        for held in data:
            if held.kind == "AWS::S3::Bucket":
                self._remove_bucket(held.name)
        for held in data:
            if held.kind == "AWS::DynamoDB::Table":
                self._remove_table(held.name)
        # Last: until then the data may still be needed. CloudFormation deletes a key that belongs to the stack.
        for held in data:
            if held.kind == "AWS::KMS::Key" and held.retained:
                self._remove_key(held.name)

    def _data(self) -> list[Held]:
        """Buckets, tables and key of the core stack; empty if the stack no longer exists."""
        cloudformation = self.client("cloudformation")
        name = self.config.stack_name
        try:
            resources = stack_resources(self.client, name)
            template = cloudformation.get_template(StackName=name)["TemplateBody"]
        except ClientError as error:
            if _is_gone(error):
                return []
            raise
        declared = (json.loads(template) if isinstance(template, str) else template)["Resources"]
        return [
            Held(
                kind=each["ResourceType"],
                name=each["PhysicalResourceId"],
                retained=declared[each["LogicalResourceId"]].get("DeletionPolicy") in KEEPING,
            )
            for each in resources
            if each["ResourceType"] in DATA and each.get("PhysicalResourceId")
        ]

    def _endpoints(self) -> Iterator[str]:
        prefix = self.config.endpoint_prefix
        pages = self.client("sagemaker").get_paginator("list_endpoints").paginate(NameContains=prefix)
        names = [endpoint["EndpointName"] for page in pages for endpoint in page["Endpoints"]]
        # The template's endpoint is deleted with its stack.
        return (name for name in names if name.startswith(prefix) and name != self.config.default_endpoint)

    def _remove_endpoint(self, name: str) -> None:
        sagemaker = self.client("sagemaker")
        self.say(f"endpoint {name}")
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
        if endpoint["EndpointStatus"] == "Deleting":
            return  # an earlier teardown got this far; its configuration is removed with the unfinished ones
        config = endpoint["EndpointConfigName"]
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        for variant in variants:
            self._quietly(partial(self._stop_scaling, name, variant["VariantName"]))
        sagemaker.delete_endpoint(EndpointName=name)
        sagemaker.delete_endpoint_config(EndpointConfigName=config)
        for variant in variants:
            if variant["ModelName"].startswith(self.config.endpoint_prefix):
                self._quietly(partial(sagemaker.delete_model, ModelName=variant["ModelName"]))

    def _remove_unfinished(self) -> None:
        """Configurations and models of endpoints whose creation or deletion was interrupted."""
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
        """Alarms of endpoints created through the API; the others are deleted with their stacks."""
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
        for left in reversed(range(EMPTYINGS)):
            self._quietly(partial(self._empty_bucket, name))
            try:
                self._quietly(partial(self.client("s3").delete_bucket, Bucket=name))
            except ClientError as error:
                # The functions still exist, and one of them has written meanwhile.
                if not left or error.response["Error"]["Code"] != "BucketNotEmpty":
                    raise
            else:
                return

    def _empty_bucket(self, name: str) -> None:
        s3 = self.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            if objects:
                s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
            for upload in page.get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])

    def _remove_table(self, name: str) -> None:
        self.say(f"table {name}")
        self._quietly(lambda: self.client("dynamodb").delete_table(TableName=name))

    def _remove_key(self, key_id: str) -> None:
        """Disabled at once, deleted after a week, the shortest wait that KMS allows."""
        kms = self.client("kms")
        if kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return
        self.say(f"key {key_id}, in {KEY_DAYS} days")
        self._quietly(partial(kms.schedule_key_deletion, KeyId=key_id, PendingWindowInDays=KEY_DAYS))

    def _remove_log_groups(self) -> None:
        """Log groups that SageMaker created for the endpoints; those of the functions are deleted with the stack."""
        logs = self.client("logs")
        prefix = f"/aws/sagemaker/Endpoints/{self.config.endpoint_prefix}"
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for group in page["logGroups"]:
                self.say(f"log group {group['logGroupName']}")
                logs.delete_log_group(logGroupName=group["logGroupName"])

    @staticmethod
    def _quietly(remove: Callable[[], object]) -> None:
        """Remove something that may already be removed."""
        try:
            remove()
        except ClientError as error:
            if not _is_gone(error):
                raise


def _is_gone(error: ClientError) -> bool:
    said = error.response.get("Error", {})
    return any(words in f"{said.get('Code', '')} {said.get('Message', '')}" for words in _GONE)


def main(arguments: list[str] | None = None) -> int:
    """Ask, then remove; returns 1 with the reason if that fails, 2 if it was not confirmed or is not allowed."""
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
    try:
        session = session_here()
        if session.region_name is None:  # STS would answer without one
            raise NoRegionError
        account = session.client("sts").get_caller_identity()["Account"]
        kept = "tables, buckets and their key are kept" if chosen.keep_data else "with all jobs, pictures and models"
        question = f"remove {config.stack_name} from account {account}, region {session.region_name}, {kept}? "
        if not chosen.yes and input(f"{question}Type its name: ") != config.stack_name:
            print("not removed", file=sys.stderr)
            return 2
        left = Teardown(config, clients_of(session)).run(keep_data=chosen.keep_data)
    except DataWouldGoError as error:
        print(error, file=sys.stderr)
        return 2
    except NO_ACCOUNT as error:
        print(f"{error}{HOW_TO_GIVE_ONE}", file=sys.stderr)
        return 2
    except (ClientError, BotoCoreError) as error:
        print(f"{error}\nRun it again to continue.", file=sys.stderr)
        return 1
    print(f"{config.stack_name} was removed" + (f"; kept: {', '.join(left)}" if left else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
