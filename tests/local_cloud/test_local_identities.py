"""What a role may not do is refused on the local cloud, wherever the call is made from."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_cloud.settings import DEFAULT_REGION
from tests.local_cloud.tiny_stack import Tiny

POLICY = "Grants"


@contextmanager
def without(tiny: Tiny, action: str) -> Iterator[None]:
    """The stack's role as it would be had the template not granted `action`."""
    client = tiny.iam()
    role = client.list_roles()["Roles"][0]["RoleName"]
    policy = client.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
    left = [
        {**statement, "Action": [one for one in statement["Action"] if one != action]}
        for statement in policy["Statement"]
        if statement["Action"] != [action]
    ]
    assert left != policy["Statement"], f"{action} is not granted"
    client.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps({"Statement": left}))
    try:
        yield
    finally:
        client.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(policy))


def test_an_input_the_endpoints_role_may_not_read_fails_the_job(shared: Tiny) -> None:
    with without(shared, "s3:GetObject"):
        shared.submit("unread", {"text": "a cat"})
        message = shared.message("unread")

    assert message["invocationStatus"] == "Failed"
    assert "is not authorized to perform: s3:GetObject" in message["failureReason"]


@pytest.mark.parametrize(
    ("action", "job"),
    [("dynamodb:PutItem", "unwritten"), ("sqs:ReceiveMessage", "unfetched")],
)
def test_a_function_without_its_grant_gets_nothing_done_and_goes_on_once_it_is_given(
    shared: Tiny, action: str, job: str
) -> None:
    with without(shared, action):
        answer = shared.submit(job, {"text": "a cat"})
        bucket, _, key = answer["output"].removeprefix("s3://").partition("/")
        shared.wait(lambda: shared.s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"))
        # Another job's whole way takes the one in front of it at least as far.
        shared.submit(f"after {job}", {"text": "a dog"})
        with pytest.raises(AssertionError, match="never happened"):
            shared.message(f"after {job}", seconds=2)
        assert not shared.row(job)

    assert shared.message(job, seconds=40)["invocationStatus"] == "Completed"


def test_a_key_nobody_has_and_a_wrong_signature_are_refused(shared: Tiny) -> None:
    stranger = boto3.client(
        "sagemaker",
        endpoint_url=shared.cloud.endpoint_url,
        region_name=DEFAULT_REGION,
        aws_access_key_id="ASIASTRANGER",
        aws_secret_access_key="guessed",
        config=Config(retries={"total_max_attempts": 1}),
    )

    with pytest.raises(ClientError) as refused:
        stranger.describe_endpoint(EndpointName=shared.cloud.endpoint_name)

    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


@pytest.mark.parametrize(("more", "code"), [([], "403"), (["s3:ListBucket"], "404")])
def test_only_who_may_list_a_bucket_is_told_that_an_object_is_missing(shared: Tiny, more: list[str], code: str) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", *more], "Resource": "*"}
    users = shared.iam()
    users.create_user(UserName=f"reader-{code}")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    users.put_user_policy(UserName=f"reader-{code}", PolicyName="Reading", PolicyDocument=document)
    key = users.create_access_key(UserName=f"reader-{code}")["AccessKey"]
    reader = boto3.client(
        "s3",
        endpoint_url=shared.cloud.endpoint_url,
        region_name=DEFAULT_REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    bucket = shared.s3.list_buckets()["Buckets"][0]["Name"]

    with pytest.raises(ClientError) as head:
        reader.head_object(Bucket=bucket, Key="is/not/there")
    with pytest.raises(ClientError) as get:
        reader.get_object(Bucket=bucket, Key="is/not/there")

    assert head.value.response["Error"]["Code"] == code
    assert get.value.response["Error"]["Code"] == {"403": "AccessDenied", "404": "NoSuchKey"}[code]
