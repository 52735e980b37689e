"""Presigned URLs as they are on AWS, where no endpoint is configured."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from lambdas.aws.clients import s3_client
from lambdas.aws.url_life import url_life

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


NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends", "life"),
    [
        pytest.param(None, 900, id="nobody-knows"),
        pytest.param(NOW + timedelta(hours=6), 900, id="hours"),
        pytest.param(NOW + timedelta(minutes=4), 240, id="minutes"),
        pytest.param(NOW - timedelta(minutes=4), 1, id="over"),
    ],
)
def test_a_url_is_promised_for_a_quarter_of_an_hour_and_never_beyond_its_credentials(
    monkeypatch: pytest.MonkeyPatch, ends: datetime | None, life: int
) -> None:
    """The end is known to botocore where the environment tells it, and where it fetched the credentials itself."""
    credentials = RefreshableCredentials(
        "a", "b", "t", expiry_time=ends or NOW, refresh_using=dict, method="test", time_fetcher=lambda: NOW
    )
    client = SimpleNamespace(
        _request_signer=SimpleNamespace(_credentials=Credentials("a", "b", "t") if ends is None else credentials)
    )

    assert url_life(client, now=NOW) == timedelta(seconds=life)


def test_the_end_of_a_real_clients_credentials_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    ends = datetime.now(UTC) + timedelta(minutes=5)
    told = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "t", "DEFAULT_REGION": "eu-central-1"}
    for name, value in {**told, "CREDENTIAL_EXPIRATION": ends.isoformat()}.items():
        monkeypatch.setenv(f"AWS_{name}", value)

    assert timedelta(minutes=4) < url_life(s3_client(), now=datetime.now(UTC)) <= timedelta(minutes=5)
