"""Deploys a synthesised cloud assembly to the local cloud, unmodified, with boto3 (`python -m local_cloud.deployment`).

It is a separate process, so that boto3 does not stay in the memory of the serving process.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, WaiterError

from infrastructure.endpoint_changes import REFUSAL
from local_cloud.assembly import DeploymentError, StackArtifact, read_assembly, zip_folder
from local_cloud.clients import LocalClients
from local_cloud.image_push import push_images
from local_cloud.root_credential import RootCredential
from local_cloud.settings import ACCOUNT, DEFAULT_REGION

BOOTSTRAP_VERSION = "30"
DEPLOY_SECONDS = 180.0
_NEVER_FINISHED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS"})
"""A stack that was never created: it holds nothing and is created from scratch."""
_TABLE_TYPES = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"})


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a deployed stack provides."""

    api_url: str | None
    """Base URL of the REST API on loopback, without a trailing slash; None if no stack has an API."""
    admin_key: str | None
    endpoint_name: str | None
    outputs: Mapping[str, str]
    """Outputs of all stacks."""


class Deployer:
    """Deploys one assembly to the local cloud."""

    def __init__(self, clients: LocalClients, *, seconds: float = DEPLOY_SECONDS) -> None:
        self._clients = clients
        self._cloudformation = clients.client("cloudformation")
        self._s3 = clients.client("s3")
        self._seconds = seconds

    def deploy(self, folder: Path) -> Deployment:
        """Deploy all stacks of the assembly in `folder`, except those that exist unchanged.

        Raises:
            DeploymentError: with CloudFormation's own reason, or because it takes too long.
        """
        outputs: dict[str, str] = {}
        for stack in read_assembly(folder):
            for manifest in stack.asset_files:
                self._publish(manifest)
            self._bring(stack)
            self._expire_rows(stack)
            outputs |= self._outputs(stack.name)
        return Deployment(
            api_url=self._api_url(outputs),
            admin_key=self._admin_key(outputs),
            endpoint_name=outputs.get("EndpointName"),
            outputs=outputs,
        )

    def _publish(self, manifest: Path) -> None:
        """Upload missing file assets and the manifests of images; the container itself runs from the sources."""
        self._clients.client("ssm").put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
        )
        assets = json.loads(manifest.read_text())
        ecr: Any = self._clients.client("ecr")  # type: ignore[call-overload]
        push_images(ecr, assets, filled=self._filled)
        for asset in assets.get("files", {}).values():
            path = manifest.parent / asset["source"]["path"]
            for destination in asset["destinations"].values():
                bucket, key = self._filled(destination["bucketName"]), self._filled(destination["objectKey"])
                self._make_bucket(bucket)
                if not self._has_object(bucket, key):
                    body = zip_folder(path) if asset["source"].get("packaging") == "zip" else path.read_bytes()
                    self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def _filled(self, text: str) -> str:
        values = {"AccountId": ACCOUNT, "Region": self._clients.region, "Partition": "aws"}
        for name, value in values.items():
            text = text.replace(f"${{AWS::{name}}}", value)
        return text

    def _make_bucket(self, bucket: str) -> None:
        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if _status(error) != 404:
                raise
            # S3 takes a location constraint for every region except the default one.
            elsewhere: Any = {"LocationConstraint": self._clients.region}
            named = {} if self._clients.region == DEFAULT_REGION else {"CreateBucketConfiguration": elsewhere}
            self._s3.create_bucket(Bucket=bucket, **named)

    def _has_object(self, bucket: str, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _status(error) != 404:
                raise
            return False
        return True

    def _bring(self, stack: StackArtifact) -> None:
        found = self._describe(stack.name)
        if found is not None and found["StackStatus"] in _NEVER_FINISHED:
            self._cloudformation.delete_stack(StackName=stack.name)
            self._await_end(stack.name, since=0.0)
            found = None
        if found is not None and self._is_current(stack):
            return
        deadline = time.monotonic() + self._seconds
        while True:
            self._await_endpoints(stack.name, deadline)
            try:
                self._change(stack, is_new=found is None)
            except DeploymentError as error:
                # A job woke the endpoint, or its idle minutes were over, between our look and CloudFormation's turn.
                if REFUSAL not in str(error) or time.monotonic() > deadline:
                    raise
            else:
                return

    def _change(self, stack: StackArtifact, *, is_new: bool) -> None:
        began = time.time()
        arguments: dict[str, Any] = {
            "StackName": stack.name,
            "TemplateURL": self._template_url(stack),
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        try:
            if is_new:
                self._cloudformation.create_stack(**arguments)
            else:
                self._cloudformation.update_stack(**arguments)
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            if "No updates are to be performed" in message:
                return
            raise DeploymentError(f"stack {stack.name} was refused: {message}") from error
        status = self._await_end(stack.name, since=began)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise DeploymentError(f"stack {stack.name} ended as {status}:\n{self._reasons(stack.name, began)}")

    def _await_endpoints(self, stack: str, deadline: float) -> None:
        """Wait while an endpoint of the stack is `Updating`: SageMaker would refuse to update it."""
        if self._describe(stack) is None:
            return
        resources = self._cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        arns = {resource.get("PhysicalResourceId") for resource in resources}
        sagemaker = self._clients.client("sagemaker")
        while names := [
            endpoint["EndpointName"]
            for endpoint in sagemaker.list_endpoints(StatusEquals="Updating")["Endpoints"]
            if endpoint["EndpointArn"] in arns
        ]:
            if time.monotonic() > deadline:
                raise DeploymentError(f"endpoint {names[0]} is still Updating after {self._seconds:.0f} s")
            time.sleep(0.1)

    def _describe(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise

    def _is_current(self, stack: StackArtifact) -> bool:
        # boto3 parses a JSON template, whatever its type stubs say.
        current: object = self._cloudformation.get_template(StackName=stack.name)["TemplateBody"]
        return bool((json.loads(current) if isinstance(current, str) else current) == json.loads(stack.template))

    def _template_url(self, stack: StackArtifact) -> str:
        bucket = f"local-cloud-templates-{ACCOUNT}-{self._clients.region}"
        key = f"{stack.name}-{hashlib.sha256(stack.template.encode()).hexdigest()[:16]}.json"
        self._make_bucket(bucket)
        self._s3.put_object(Bucket=bucket, Key=key, Body=stack.template.encode())
        return f"{self._clients.endpoint_url}/{bucket}/{key}"

    def _await_end(self, name: str, *, since: float) -> str:
        """Wait until nothing is in progress; returns the stack's last status."""
        deadline = time.monotonic() + self._seconds
        while True:
            found = self._describe(name)
            if found is None:
                return "DELETE_COMPLETE"
            status = str(found["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"stack {name} is still {status} after {self._seconds:.0f} s; waiting for: {self._waiting(name)}\n"
                    f"{self._reasons(name, since)}"
                )
            time.sleep(0.1)

    def _waiting(self, name: str) -> str:
        resources = self._cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        waiting = [
            f"{resource['LogicalResourceId']} ({resource['ResourceType']})"
            for resource in resources
            if resource["ResourceStatus"].endswith("_IN_PROGRESS")
        ]
        return ", ".join(waiting) or "nothing known"

    def _reasons(self, name: str, since: float) -> str:
        """What failed, oldest first, without what was merely cancelled because of it."""
        events = [
            event for page in self._event_pages(name) for event in page if event["Timestamp"].timestamp() >= since - 1
        ]
        lines = [
            f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", "")
        ]
        return "\n".join(lines) or "  CloudFormation gave no reason"

    def _event_pages(self, name: str) -> Iterator[list[Any]]:
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
            yield list(page["StackEvents"])

    def _expire_rows(self, stack: StackArtifact) -> None:
        """Enable TTL where the template asks for it, which the emulator's CloudFormation does not do."""
        dynamodb = self._clients.client("dynamodb")
        for logical_id, resource in json.loads(stack.template).get("Resources", {}).items():
            wanted = resource.get("Properties", {}).get("TimeToLiveSpecification")
            if resource["Type"] not in _TABLE_TYPES or not wanted:
                continue
            found = self._cloudformation.describe_stack_resource(StackName=stack.name, LogicalResourceId=logical_id)
            table = found["StackResourceDetail"]["PhysicalResourceId"]
            current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            if current.get("TimeToLiveStatus") != "ENABLED":
                dynamodb.update_time_to_live(
                    TableName=table,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": wanted["AttributeName"]},
                )

    def _outputs(self, name: str) -> dict[str, str]:
        found = self._describe(name)
        return {output["OutputKey"]: output["OutputValue"] for output in (found or {}).get("Outputs", ())}

    def _api_url(self, outputs: Mapping[str, str]) -> str | None:
        if "ApiId" not in outputs:
            return None
        stage = urlsplit(outputs.get("ApiUrl", "")).path.strip("/") or "prod"
        return f"{self._clients.endpoint_url}/restapis/{outputs['ApiId']}/{stage}/_user_request_"

    def _admin_key(self, outputs: Mapping[str, str]) -> str | None:
        if "AdminKeyParameter" not in outputs:
            return None
        ssm = self._clients.client("ssm")
        return ssm.get_parameter(Name=outputs["AdminKeyParameter"], WithDecryption=True)["Parameter"]["Value"]


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def main(arguments: list[str] | None = None) -> int:
    """Deploy and print the `Deployment` as JSON; returns 1, with the reason on stderr, if that fails."""
    parser = argparse.ArgumentParser(prog="python -m local_cloud.deployment", description=__doc__.splitlines()[0])
    parser.add_argument("--assembly", type=Path, required=True, help="folder with the cloud assembly")
    parser.add_argument("--endpoint-url", required=True, help="the local cloud, http://127.0.0.1:PORT")
    parser.add_argument("--region", default=DEFAULT_REGION)
    chosen = parser.parse_args(arguments)
    try:
        deployment = Deployer(
            LocalClients(chosen.endpoint_url, RootCredential.of_environment, region=chosen.region)
        ).deploy(chosen.assembly)
    except (DeploymentError, ClientError, WaiterError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(deployment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
