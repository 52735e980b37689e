"""A deployed stage as boto3 sees it: its clients and its stack's resources."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import NoCredentialsError, NoRegionError, ProfileNotFound

NO_ACCOUNT = (NoCredentialsError, NoRegionError, ProfileNotFound)
"""What botocore raises before it has asked AWS for anything."""
HOW_TO_GIVE_ONE = (
    ". Give credentials and a region as the AWS CLI reads them: AWS_PROFILE and AWS_REGION, or `aws login`."
)


def session_here() -> boto3.session.Session:
    """Credentials and region as the AWS CLI and the CDK read them; boto3 alone ignores AWS_REGION."""
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)


ClientOf = Callable[[str], Any]
"""A boto3 client by service name."""


def clients_of(session: boto3.session.Session) -> ClientOf:
    return partial(_client, session)


def stack_resources(client: ClientOf, stack_name: str) -> list[dict[str, Any]]:
    """A stack's resources, as CloudFormation lists them.

    Raises:
        ClientError: the stack does not exist, or AWS refused.
    """
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]


def _client(session: boto3.session.Session, service: str) -> Any:
    return session.client(service)  # type: ignore[call-overload]
