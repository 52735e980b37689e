"""A web page, or another account of this machine, gets nothing from the local cloud; its own programs do."""

import datetime as dt
import json
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud
from local_cloud.settings import ACCOUNT, DEFAULT_REGION
from tests.local_cloud.tiny_stack import CONTAINER, Tiny

PAGE = "https://evil.example"
JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"

# Method, path and headers of requests that have an effect or an answer worth having; {key} is the access key claimed.
ASKED: dict[str, tuple[str, str, dict[str, str], str, bytes]] = {
    "a secret": ("POST", "/", {"x-amz-target": "AmazonSSM.GetParametersByPath"}, "ssm", b'{"Path": "/"}'),
    "the tables": ("POST", "/", {"x-amz-target": "DynamoDB_20120810.ListTables"}, "dynamodb", b"{}"),
    "code that runs": ("POST", "/2015-03-31/functions", {"content-type": "text/plain"}, "lambda", b"{}"),
    "a call of a function": ("GET", "/2015-03-31/functions", {}, "lambda", b""),
    "the buckets": ("GET", "/", {}, "s3", b""),
    "a bucket": ("PUT", "/stolen-bucket", {}, "s3", b""),
    "the users": ("POST", "/", {"content-type": FORM}, "iam", b"Action=ListUsers&Version=2010-05-08"),
    "a user": ("POST", "/", {"content-type": FORM}, "iam", b"Action=CreateUser&UserName=eve&Version=2010-05-08"),
    "a session": ("POST", "/", {"content-type": FORM}, "sts", b"Action=GetSessionToken&Version=2011-06-15"),
    "the topics": ("POST", "/", {"content-type": FORM}, "sns", b"Action=ListTopics&Version=2010-03-31"),
    "the queues": ("POST", "/", {"content-type": FORM}, "sqs", b"Action=ListQueues&Version=2012-11-05"),
    "the stacks": ("POST", "/", {"content-type": FORM}, "cloudformation", b"Action=ListStacks&Version=2010-05-15"),
    "an endpoint": ("POST", "/", {"x-amz-target": "SageMaker.ListEndpoints"}, "sagemaker", b"{}"),
    "quotas": ("POST", "/", {"x-amz-target": "ServiceQuotasV20190624.ListServiceQuotas"}, "servicequotas", b"{}"),
    "instance types": ("POST", "/", {"content-type": FORM}, "ec2", b"Action=DescribeInstanceTypeOfferings"),
    "scaling": ("POST", "/", {"x-amz-target": "AnyScaleFrontendService.X"}, "application-autoscaling", b"{}"),
    "the API's plan": ("GET", "/restapis", {}, "apigateway", b""),
}
CLOSED = {
    "everything gone": ("POST", "/_ministack/reset"),
    "other settings": ("POST", "/_ministack/config"),
    "readiness": ("GET", "/_ministack/ready"),
    "messages": ("GET", "/_ministack/sqs/messages"),
    "mail": ("GET", "/_ministack/ses/messages"),
    "texts": ("GET", "/_ministack/sns/sms-messages"),
    "code": ("GET", "/_ministack/lambda-code/x"),
    "a signal": ("PUT", "/_ministack/cfn-signal/x"),
    "an answer to nobody": ("PUT", "/_ministack/cfn-response/x"),
    "database logins": ("POST", "/_ministack/rds/iam-auth"),
    "cluster logins": ("POST", "/_ministack/eks-auth/000000000000/us-east-1/c/0123456789abcdef"),
    "localstack's health": ("GET", "/_localstack/health"),
    "localstack's pages": ("GET", "/_localstack/init"),
    "the API by another path": ("GET", "/_aws/execute-api/x/prod/v1/me"),
    "health by another path": ("GET", "/health"),
}


@pytest.fixture(scope="module")
def old_times() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def send(
    cloud: LocalCloud, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to exactly this request; no header is added but the length."""
    port = cloud.settings.port
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": f"127.0.0.1:{port}", "content-length": str(len(body)), **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def claimed(key: str, service: str, now: str) -> dict[str, str]:
    """Parameters that claim `key` signed the request."""
    return {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{now[:8]}/{DEFAULT_REGION}/{service}/aws4_request",
        "X-Amz-Signature": "0" * 64,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Date": now,
        "X-Amz-Expires": "3600",
    }


def ways_in(cloud: LocalCloud, service: str, now: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What a request without a right signature may look like: its name, its query, its headers."""
    yield "unsigned", "", {}
    for key in (ACCOUNT, "123456789012", "test", "", "ASIASTRANGER", cloud.root().access_key):
        query = claimed(key, service, now)
        yield f"{key} in the query", "?" + urlencode(query), {}
        scope = query["X-Amz-Credential"]
        said = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
        yield f"{key} in the header", "", {"authorization": said, "x-amz-date": now}
        yield f"{key} with the older signature", f"?AWSAccessKeyId={key}&Signature=0&Expires=9999999999", {}
        yield f"{key} with the older header", "", {"authorization": f"AWS {key}:0", "date": now}
        yield f"{key} for S3", "?" + urlencode(claimed(key, "s3", now)), {}


@pytest.mark.parametrize("name", ASKED)
def test_a_request_without_a_right_signature_gets_nothing(shared: Tiny, old_times: str, name: str) -> None:
    method, path, headers, service, body = ASKED[name]

    answers = {
        way: send(shared.cloud, method, path + query, {**headers, **more}, body)
        for way, query, more in ways_in(shared.cloud, service, old_times)
    }

    if (method, path) == ("GET", "/"):
        # Claiming no signature it is not for S3: the root of the port is the deployed API's, for browsers too.
        status, _, got = answers.pop("unsigned")
        assert (status, "table" in json.loads(got)) == (200, True)
    # S3 answers 400 to a presigned URL that lacks or mistakes a parameter.
    assert {way: status for way, (status, _, _) in answers.items() if status not in (400, 403)} == {}
    assert not [way for way, (_, got, _) in answers.items() if "access-control-allow-origin" in got]
    assert not [way for way, (_, _, got) in answers.items() if b"000000000000:" in got or b"TableNames" in got]


@pytest.mark.parametrize("signer", ["nobody", "root"])
@pytest.mark.parametrize("name", CLOSED)
def test_the_emulators_own_pages_are_closed_to_everybody(shared: Tiny, name: str, signer: str) -> None:
    method, path = CLOSED[name]
    headers = signed(shared.cloud, method, path) if signer == "root" else {}

    assert send(shared.cloud, method, path, headers)[0] == 403
    assert shared.dynamodb.list_tables()["TableNames"]


def signed(cloud: LocalCloud, method: str, path: str) -> dict[str, str]:
    """Headers of a request to S3 that root signed."""
    request = AWSRequest(method, f"{cloud.endpoint_url}{path}", data=b"")
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    root = cloud.root()
    SigV4Auth(Credentials(root.access_key, root.secret_key), "s3", DEFAULT_REGION).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


HOSTS = {
    "127.0.0.1": True,
    "localhost": True,
    "LOCALHOST:80": True,
    "localhost:4747": True,
    "evil.example": False,
    "evil.example:4747": False,
    "localhost.evil.example": False,
    "127.0.0.1.evil.example": False,
    "127.0.0.1.nip.io": False,
    "127.1": False,
    "127.0.0.2": False,
    "0.0.0.0": False,
    "2130706433": False,
    "[::1]": False,
    "localhost.": False,
    "localhost:4747:1": False,
    "user@localhost": False,
    "localhost/": False,
    " ": False,
    "": False,
    "x.execute-api.us-east-1.amazonaws.com": False,
    "s3.amazonaws.com.evil.example": False,
    "bucket.s3.amazonaws.com.evil.example": False,
}


@pytest.mark.parametrize(("host", "is_ours"), HOSTS.items())
def test_only_this_machines_names_are_answered(shared: Tiny, host: str, is_ours: bool) -> None:
    asked = {"host": host}
    api = urlsplit(shared.cloud.api_url).path + "/"
    url = urlsplit(shared.s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}))

    health = send(shared.cloud, "GET", "/_ministack/health", asked)[0]
    routed = send(shared.cloud, "GET", api, asked)[0]
    presigned = send(shared.cloud, "GET", f"{url.path}?{url.query}", asked)[0]
    preflight = send(shared.cloud, "OPTIONS", api, asked)[0]

    assert (health, routed, preflight == 200) == ((200, 200, True) if is_ours else (403, 403, False))
    assert presigned in ({403, 404} if is_ours else {403})


def test_two_host_headers_are_refused(shared: Tiny) -> None:
    port = shared.cloud.settings.port
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", "/_ministack/health", skip_host=True)
        connection.putheader("host", f"127.0.0.1:{port}")
        connection.putheader("host", "evil.example")
        connection.endheaders()
        assert connection.getresponse().status in (400, 403)


@pytest.mark.parametrize(
    "mark",
    [
        {"origin": PAGE},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_even_a_right_signature_does_not_serve_a_page(shared: Tiny, mark: dict[str, str]) -> None:
    right = signed(shared.cloud, "GET", "/")

    assert send(shared.cloud, "GET", "/", right)[0] == 200
    assert send(shared.cloud, "GET", "/", {**right, **mark})[0] == 403
    assert send(shared.cloud, "GET", "/_ministack/health", mark)[0] == 403


def test_pages_may_use_the_apis_routes_and_presigned_urls_by_the_deployed_rules(shared: Tiny) -> None:
    bucket, page = shared.cloud.outputs["BucketName"], {"origin": PAGE}
    shared.s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"]}]
        },
    )
    shared.s3.put_object(Bucket=bucket, Key="picture", Body=b"red")
    url = urlsplit(shared.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "picture"}))
    target = f"{url.path}?{url.query}"
    try:
        status, headers, body = send(shared.cloud, "GET", target, page)
        asking = {**page, "access-control-request-method": "GET"}
        allowed = send(shared.cloud, "OPTIONS", target, asking)
        put = send(shared.cloud, "OPTIONS", target, {**page, "access-control-request-method": "PUT"})
    finally:
        shared.s3.delete_bucket_cors(Bucket=bucket)

    assert (status, headers["access-control-allow-origin"], body) == (200, "*", b"red")
    assert (allowed[0], put[0]) == (200, 403)
    assert send(shared.cloud, "GET", urlsplit(shared.cloud.api_url).path + "/", page)[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/bucket", "/2015-03-31/functions", "/restapis", "/_ministack/reset", "/_ministack/health"]
)
@pytest.mark.parametrize("is_presigned", [False, True])
def test_a_preflight_elsewhere_allows_nothing(shared: Tiny, old_times: str, path: str, *, is_presigned: bool) -> None:
    query = "?" + urlencode(claimed(shared.cloud.root().access_key, "s3", old_times)) if is_presigned else ""
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "x-amz-target"}

    status, headers, _ = send(shared.cloud, "OPTIONS", path + query, asked)

    assert (status, headers.get("access-control-allow-origin")) == (403, None)


@pytest.mark.parametrize(
    "sneaked",
    [
        {"authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{service}/aws4_request, Signature=0"},
        {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": JSON},
        {"x-amz-target": "SageMaker.ListEndpoints", "content-type": JSON},
        {"content-type": FORM},
    ],
)
@pytest.mark.parametrize("service", ["sagemaker", "servicequotas", "ec2", "application-autoscaling", "dynamodb", "iam"])
def test_a_route_of_the_api_is_never_read_as_a_request_to_another_service(
    shared: Tiny, sneaked: dict[str, str], service: str
) -> None:
    path = urlsplit(shared.cloud.api_url).path + "/"
    headers = {name: value.format(service=service) for name, value in sneaked.items()}

    status, _, body = send(shared.cloud, "POST", path, headers, b"Action=DescribeInstanceTypeOfferings")
    by_query = send(shared.cloud, "POST", f"{path}?X-Amz-Credential=x/1/2/{service}/aws4_request", headers)

    # What the function answers to a POST, not what another service would.
    assert (status, set(json.loads(body))) == (200, {"body", "coded"})
    assert by_query[0] == 403


@pytest.mark.parametrize(
    "unsigned",
    [
        {"x-amz-copy-source": "/{bucket}/secret"},
        {"x-amz-tagging": "a=b"},
        {"x-amz-meta-owner": "eve"},
        {"x-amz-storage-class": "GLACIER"},
        {"x-amz-website-redirect-location": "https://evil.example"},
        {"x-amz-acl": "public-read"},
        {"X-Amz-Copy-Source": "/{bucket}/secret"},
        {"x-amz-copy-source-range": "bytes=0-1", "x-amz-copy-source": "/{bucket}/secret"},
        {"x-amz-server-side-encryption-customer-key": "a"},
        {"x-amz-invented": "1"},
    ],
)
def test_a_presigned_upload_takes_no_header_of_s3_that_its_signer_did_not_sign(
    shared: Tiny, unsigned: dict[str, str]
) -> None:
    bucket = shared.cloud.outputs["BucketName"]
    shared.s3.put_object(Bucket=bucket, Key="secret", Body=b"of alice")
    place = {"Bucket": bucket, "Key": "mine"}
    url = shared.s3.generate_presigned_url("put_object", Params=place)
    headers = {name: value.format(bucket=bucket) for name, value in unsigned.items()}

    refused = httpx.put(url, headers=headers)
    signed_header = httpx.put(
        shared.s3.generate_presigned_url("put_object", Params={**place, "Metadata": {"owner": "bob"}}),
        headers={"x-amz-meta-owner": "bob"},
        content=b"mine",
    )

    assert (refused.status_code, "AccessDenied" in refused.text) == (403, True)
    assert next(iter(headers)).lower() in refused.text
    assert signed_header.status_code == 200
    assert shared.s3.get_object(Bucket=bucket, Key="mine")["Body"].read() == b"mine"


@pytest.mark.parametrize(("size", "status"), [(5, 200), (4, 403), (6, 403), (0, 403), (100_000, 403)])
def test_a_presigned_upload_takes_exactly_the_bytes_it_was_signed_for(shared: Tiny, size: int, status: int) -> None:
    place = {"Bucket": shared.cloud.outputs["BucketName"], "Key": "five", "ContentLength": 5}
    url = shared.s3.generate_presigned_url("put_object", Params=place)

    assert httpx.put(url, content=b"x" * size).status_code == status


def test_the_root_credential_is_new_at_each_start_and_only_its_owner_can_read_it(tiny: Tiny) -> None:
    first = tiny.cloud.root()
    url = tiny.s3.generate_presigned_url("list_buckets")

    tiny.cloud.restart()

    assert stat.S_IMODE(tiny.cloud.settings.credentials_file.stat().st_mode) == 0o600
    assert tiny.cloud.root().secret_key != first.secret_key
    assert httpx.get(url).status_code == 403
    with pytest.raises(ClientError) as refused:
        LocalClients(tiny.cloud.endpoint_url, lambda: first).client("dynamodb").list_tables()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert tiny.dynamodb.list_tables()["TableNames"]


def test_nothing_in_the_state_folder_is_open_to_other_accounts(tmp_path: Path, assembly: Path) -> None:
    state = tmp_path / "state"
    (state / "aws").mkdir(parents=True)
    (state / "aws" / "left_by_an_older_version.json").write_text("{}")
    os.chmod(state / "aws" / "left_by_an_older_version.json", 0o644)  # noqa: PTH101
    with LocalCloud(state, assembly=assembly, container_command=CONTAINER) as cloud:
        tiny = Tiny(cloud)
        tiny.submit("a", {"text": "a cat"})
        tiny.message("a")
        httpx.get(f"{cloud.api_url}/").raise_for_status()

        open_to_others = [
            str(path.relative_to(state))
            for path in [state, *state.rglob("*")]
            if path.lstat().st_mode & 0o077
            if not path.is_symlink()
        ]

    assert open_to_others == []


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sagemaker", "iam", "sqs", "lambda"])
def test_the_owner_of_the_credentials_file_may_do_everything_with_awss_own_programs(
    shared: Tiny, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared.cloud.settings.credentials_file))
    calls = {
        "s3": "list_buckets",
        "dynamodb": "list_tables",
        "sagemaker": "list_endpoints",
        "iam": "list_roles",
        "sqs": "list_queues",
        "lambda": "list_functions",
    }
    client: Any = boto3.session.Session(region_name=DEFAULT_REGION).client(
        service,  # type: ignore[call-overload]
        endpoint_url=shared.cloud.endpoint_url.replace("127.0.0.1", "localhost"),
        config=Config(retries={"total_max_attempts": 1}),
    )

    assert getattr(client, calls[service])()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_name_of_the_emulator_that_is_percent_encoded_is_closed_too(shared: Tiny) -> None:
    for path in ("/%5fministack/reset", "/_ministack%2Freset", "/_MINISTACK/reset", "/" + quote("_localstack/health")):
        assert send(shared.cloud, "POST", path)[0] == 403
