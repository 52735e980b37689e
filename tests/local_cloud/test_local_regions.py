"""A local cloud in another region than us-east-1 treats S3's hosts as AWS does."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config

from lambdas.aws.clients import s3_client
from local_cloud.cloud import LocalCloud
from tests.local_cloud.tiny_stack import CONTAINER

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def far_cloud(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("far")
    with LocalCloud(state, assembly=assembly, container_command=CONTAINER, region=REGION) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def _aws_without_endpoint(monkeypatch: pytest.MonkeyPatch, far_cloud: LocalCloud) -> None:
    """As in a function on AWS."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**far_cloud.root().variables, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)


def sent_here(cloud: LocalCloud, method: str, url: str, content: bytes | None = None) -> httpx.Response:
    """A request to a URL of AWS, answered by the local cloud."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    here = f"{cloud.endpoint_url}{parts.path}?{parts.query}"
    return httpx.request(method, here, content=content, headers={"host": parts.hostname})


def test_the_url_that_a_function_signs_is_served(far_cloud: LocalCloud) -> None:
    place = {"Bucket": far_cloud.outputs["BucketName"], "Key": "picture"}
    s3 = s3_client()

    stored = sent_here(far_cloud, "PUT", s3.generate_presigned_url("put_object", Params=place), b"red")
    read = sent_here(far_cloud, "GET", s3.generate_presigned_url("get_object", Params=place))

    assert (stored.status_code, read.status_code, read.content) == (200, 200, b"red")


def test_a_url_of_the_global_host_is_redirected_and_refused_at_the_regional_one(far_cloud: LocalCloud) -> None:
    bucket = far_cloud.outputs["BucketName"]
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "picture"})

    first = sent_here(far_cloud, "GET", url)
    second = sent_here(far_cloud, "GET", first.headers["location"])

    assert urlsplit(url).hostname == f"{bucket}.s3.amazonaws.com"
    assert first.status_code == 307
    assert urlsplit(first.headers["location"]).hostname == f"{bucket}.s3.{REGION}.amazonaws.com"
    assert (second.status_code, "SignatureDoesNotMatch" in second.text) == (403, True)
