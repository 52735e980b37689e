"""Presigned URLs as they are on AWS, where no endpoint is configured."""

from urllib.parse import urlsplit

import boto3
import pytest

from lambdas.aws.clients import s3_client

REGIONS = {
    "us-east-1": "s3.amazonaws.com",  # the global host is this region's own
    "eu-central-1": "s3.eu-central-1.amazonaws.com",
    "ap-northeast-1": "s3.ap-northeast-1.amazonaws.com",
    "ap-southeast-5": "s3.ap-southeast-5.amazonaws.com",  # opened in 2024: its buckets are unknown to the global host
    "cn-north-1": "s3.cn-north-1.amazonaws.com.cn",
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("operation", ["get_object", "put_object", "upload_part"])
def test_a_presigned_url_names_the_host_of_its_own_region(
    monkeypatch: pytest.MonkeyPatch, region: str, operation: str
) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "REGION": region,
        "DEFAULT_REGION": region,
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    part = {"UploadId": "u", "PartNumber": 1} if operation == "upload_part" else {}

    url = s3_client().generate_presigned_url(operation, Params={"Bucket": "pictures", "Key": "a/b.png", **part})

    assert urlsplit(url).hostname == f"pictures.{REGIONS[region]}"
