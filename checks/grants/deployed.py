"""The grants of the deployed roles, and which calls would be allowed without one of them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.ministack.policies import role_may
from local_cloud.settings import ACCOUNT

_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource that a role is allowed."""

    role: str
    """Name of the construct."""
    action: str
    resource: str
    """The deployed ARN."""


@dataclass(frozen=True)
class Request:
    """A call that a role made and was allowed."""

    role: str
    action: str
    resource: str
    context: Mapping[str, Any]


@dataclass
class Deployed:
    """The roles of the deployed stacks."""

    policies: dict[str, dict[str, dict[str, Any]]]
    """Construct name of a role → policy name → document."""
    role_names: dict[str, str]
    """Construct name of a role → its name in IAM."""
    labels: list[tuple[str, str]] = field(default_factory=list)
    """Deployed names and what to write in their place, longest first."""

    def statements(self, role: str) -> list[dict[str, Any]]:
        return [statement for document in self.policies[role].values() for statement in document["Statement"]]

    def grants(self) -> list[Grant]:
        """All grants of all roles."""
        found = {
            Grant(role, action, resource)
            for role in self.policies
            for statement in self.statements(role)
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        return sorted(found)

    def label(self, resource: str) -> str:
        """The name of a resource in the template."""
        for name, label in self.labels:
            resource = resource.replace(name, label)
        return re.sub(rf"^arn:aws:\w+:[a-z0-9-]*:(?:{ACCOUNT})?:", "", resource)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def client(cloud: LocalCloud, service: str) -> Any:
    """A client with all permissions."""
    return LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region).client(service)  # type: ignore[call-overload]


def function_named(cloud: LocalCloud, part: str) -> str:
    found = client(cloud, "lambda").list_functions()["Functions"]
    return next(str(one["FunctionName"]) for one in found if part in one["FunctionName"])


def read_deployed(cloud: LocalCloud) -> Deployed:
    """Read the current roles from IAM."""
    iam, formation = client(cloud, "iam"), client(cloud, "cloudformation")
    deployed = Deployed({}, {}, [(cloud.settings.region, "region")])
    for stack in formation.describe_stacks()["Stacks"]:
        for resource in formation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]:
            physical, logical = resource["PhysicalResourceId"], _HASH.sub("", resource["LogicalResourceId"])
            if resource["ResourceType"] in {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Lambda::Function"}:
                deployed.labels.append((physical, logical))
            elif resource["ResourceType"].startswith(("AWS::SQS::Queue", "AWS::SNS::Topic")):
                deployed.labels.append((re.split(r"[/:]", physical)[-1], logical))
            elif resource["ResourceType"] == "AWS::Logs::LogGroup":
                deployed.labels.append((physical, logical))
            elif resource["ResourceType"] == "AWS::IAM::Role":
                role = logical.removeprefix("Functions").removesuffix("Role")
                name = physical.rsplit("/", 1)[-1]
                deployed.role_names[role] = name
                deployed.policies[role] = {
                    policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                }
    deployed.labels.sort(key=lambda pair: -len(pair[0]))
    return deployed


@contextmanager
def removed(cloud: LocalCloud, deployed: Deployed, grant: Grant) -> Iterator[None]:
    """Run the block as if the template lacked this grant."""
    iam = client(cloud, "iam")
    documents = {
        name: document
        for name, document in deployed.policies[grant.role].items()
        if without(document["Statement"], grant) != document["Statement"]
    }
    assert documents, f"there is no {grant}"
    try:
        for name, document in documents.items():
            left = without(document["Statement"], grant)
            if left:
                _put(iam, deployed.role_names[grant.role], name, left)
            else:
                iam.delete_role_policy(RoleName=deployed.role_names[grant.role], PolicyName=name)
        yield
    finally:
        for name, document in documents.items():
            _put(iam, deployed.role_names[grant.role], name, document["Statement"])


def _put(iam: Any, role: str, policy: str, statements: Sequence[Mapping[str, Any]]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)


def without(statements: Sequence[Mapping[str, Any]], grant: Grant) -> list[dict[str, Any]]:
    """The statements without this one action on this one resource."""
    left: list[dict[str, Any]] = []
    for statement in statements:
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        if grant.action not in actions or grant.resource not in resources:
            left.append(dict(statement))
            continue
        others = [action for action in actions if action != grant.action]
        elsewhere = [resource for resource in resources if resource != grant.resource]
        if others:
            left.append({**statement, "Action": others})
        if elsewhere:
            left.append({**statement, "Action": [grant.action], "Resource": elsewhere})
    return left


def allowed(request: Request, statements: Sequence[Mapping[str, Any]], *, region: str) -> bool:
    """Whether a role with these statements may make the call, by the local cloud's own evaluation."""
    return role_may(
        statements, request.action, request.resource,
        role=request.role, region=region, condition_keys=request.context,
    )  # fmt: skip
