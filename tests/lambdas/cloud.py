"""The cloud of the Lambda tests: moto's tables and buckets, a fake endpoint, and the API as API Gateway calls it."""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

import lambdas.clock
from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.assets import AssetStatus, AssetType
from generate_on_cloud.contract.errors import PROBLEMS, JobError
from generate_on_cloud.contract.jobs import JobStatus, Task
from generate_on_cloud.contract.messages import CacheUse, JobFailure, JobMetrics, JobResult, OutputImage
from lambdas.access.caller import key_row_id
from lambdas.api.handler import make_resolver
from lambdas.api.table import ROUTES
from lambdas.assembly.api import Api
from lambdas.assembly.jobs import Jobs
from lambdas.assets.inspection import Inspection
from lambdas.assets.record import AssetFacts, AssetRecord
from lambdas.aws.clients import Clients, dynamodb_client, s3_client
from lambdas.aws.rows import from_item, new_id, timestamp, to_item
from lambdas.endpoints.sagemaker import TAKES_JOBS
from lambdas.functions.asset_inspection import AssetSweep
from lambdas.functions.job_events import JobEvents
from lambdas.functions.sweeper import Sweeper
from lambdas.jobs.lists import JOB_LISTS, SORT
from lambdas.jobs.record import IS_OPEN, JobRecord
from lambdas.settings import ApiSettings, FunctionSettings, JobEventsSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_sqs import SQSClient

SETTINGS = ApiSettings(
    JOBS_TABLE="jobs",
    ASSETS_TABLE="assets",
    ACCESS_TABLE="access",
    JOBS_BUCKET="jobs-bucket",
    ASSETS_BUCKET="assets-bucket",
    ENDPOINTS_TABLE="endpoints",
    ENDPOINT_NAME="artists",
    ENDPOINT_PREFIX="goc-main-",
    ENDPOINT_GPUS=2,
    ENDPOINT_KEEPER_FUNCTION="keeper",
    INSPECTION_FUNCTION="inspection",
    IMPORT_FUNCTION="import",
    SERVICE_VERSION="1.2.3",
    KEY_REQUESTS_PER_MINUTE=10**9,
    WEBHOOK_QUEUE_URL="https://queue/webhooks",
    GPU_PRICE_PER_HOUR=1.8,
    DELETED_MODELS_DAYS=7,
)
BUCKETS = (SETTINGS.JOBS_BUCKET, SETTINGS.ASSETS_BUCKET)
ASSET_INDEXES = (
    (("type",), "name"),
    (("listed",), "type_name"),
    (("sha256",), "created_at"),
    (("working",), "created_at"),
)
KEYS = {"alice": "alice-key", "bob": "bob-key", "root": "root-key"}
START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0")
    + _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    + _chunk(b"IEND", b"")
).decode()
"""A red pixel."""


@dataclass
class Clock:
    """Time that passes only when a test or the API's own sleep lets it."""

    now: datetime = START
    slept: list[float] = field(default_factory=list)
    during_sleep: list[Any] = field(default_factory=list)
    """What happens while the API sleeps: one callable for each sleep."""

    def moment(self) -> datetime:
        # Each look is a little later, as it is in life: two jobs never begin at the same instant.
        self.now += timedelta(microseconds=1)
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        if self.during_sleep:
            self.during_sleep.pop(0)()


@dataclass
class FakeEndpoint:
    """SageMaker's two calls, with the answers and errors AWS documents."""

    status: str | None = "InService"
    """None: there is no endpoint."""
    statuses: dict[str, str] = field(default_factory=dict)
    """Of those that have another one."""
    failure_reason: str | None = None
    created_at: datetime = START - timedelta(days=1)
    instances: int = 0
    invoke_error: Exception | None = None
    invoked: list[dict[str, str]] = field(default_factory=list)
    limits: list[dict[str, int]] = field(default_factory=list)
    """Of each of these invocations."""
    on_invoke: Any = None
    calls: Counter[str] = field(default_factory=Counter)

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        self.calls["DescribeEndpoint"] += 1
        if self.status is None:
            raise aws_error("ValidationException", f'Could not find endpoint "{EndpointName}".', "DescribeEndpoint")
        answer: dict[str, Any] = {
            "EndpointName": EndpointName,
            "EndpointStatus": self.statuses.get(EndpointName, self.status),
            "ProductionVariants": [{"VariantName": "gpu", "CurrentInstanceCount": self.instances}],
            "CreationTime": self.created_at,
        }
        return answer | ({"FailureReason": self.failure_reason} if self.failure_reason else {})

    def invoke_endpoint_async(
        self,
        *,
        EndpointName: str,  # noqa: N803
        InputLocation: str,  # noqa: N803
        InferenceId: str,  # noqa: N803
        ContentType: str,  # noqa: N803
        **limits: int,
    ) -> dict[str, str]:
        self.calls["InvokeEndpointAsync"] += 1
        if self.statuses.get(EndpointName, self.status) not in TAKES_JOBS:
            raise aws_error("ValidationError", f"Endpoint {EndpointName} of account 123 not found.")
        if self.on_invoke is not None:
            self.on_invoke(InferenceId)
        if self.invoke_error is not None:
            raise self.invoke_error
        self.invoked.append({"endpoint": EndpointName, "input": InputLocation, "id": InferenceId, "type": ContentType})
        self.limits.append(limits)
        return {
            "InferenceId": InferenceId,
            "OutputLocation": f"s3://{SETTINGS.JOBS_BUCKET}/endpoint-output/{InferenceId}.out",
            "FailureLocation": f"s3://{SETTINGS.JOBS_BUCKET}/endpoint-failure/{InferenceId}-error.out",
        }


@dataclass
class FakeQueue:
    """The webhook queue: what was sent, and the waits messages were given."""

    sent: list[str] = field(default_factory=list)
    """Job ids."""
    waits: list[int] = field(default_factory=list)
    error: Exception | None = None
    on_send: Any = None
    """Called before a message is taken."""

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl == SETTINGS.WEBHOOK_QUEUE_URL
        if self.on_send is not None:
            self.on_send()
        if self.error is not None:
            raise self.error
        self.sent.append(json.loads(MessageBody)["job_id"])

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        assert (QueueUrl, ReceiptHandle) == (SETTINGS.WEBHOOK_QUEUE_URL, "handle")
        self.waits.append(VisibilityTimeout)


def aws_error(code: str, message: str = "no", operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeFunctions:
    """Lambda's one call: keeps what functions were called with."""

    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> object:  # noqa: N803
        assert InvocationType == "Event"
        self.called.append((FunctionName, json.loads(Payload)))
        return {"StatusCode": 202}


@dataclass(frozen=True)
class Reply:
    """What API Gateway would send to the client."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def problem(self, status: int, code: str) -> Any:
        """The body, checked to be this problem."""
        assert (self.status, self.json["code"]) == (status, code), self.text
        assert self.headers["Content-Type"] == "application/problem+json"
        return self.json

    def ok(self, status: int = 200) -> Any:
        assert self.status == status, self.text
        assert self.headers["Content-Type"] == "application/json"
        return self.json

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(frozen=True)
class _Api(Api):
    """The API's own assembly, with another inspection where a test wants one."""

    inspection_kind: type[Inspection] = Inspection

    @cached_property
    def inspection(self) -> Inspection:
        settings = self.settings
        return self.inspection_kind(
            self.asset_transitions,
            self.clients.s3,
            settings.ASSETS_BUCKET,
            noncommercial=settings.NONCOMMERCIAL_MODELS,
            now=self.clock.now,
        )


def _fields(settings: type[FunctionSettings]) -> dict[str, Any]:
    """What these settings have in common with the API's."""
    return {name: value for name, value in SETTINGS.model_dump().items() if name in settings.model_fields}


@dataclass
class Cloud:
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    endpoint: FakeEndpoint
    clock: Clock
    calls: Counter[str]
    """AWS calls since the last `counted`, by operation."""
    functions: FakeFunctions = field(default_factory=FakeFunctions)
    queue: FakeQueue = field(default_factory=FakeQueue)
    inspection_kind: type[Inspection] = Inspection
    settings_of_api: ApiSettings = SETTINGS

    def __post_init__(self) -> None:
        clients = Clients(
            dynamodb=self.dynamodb,
            s3=self.s3,
            sqs=cast("SQSClient", self.queue),
            sagemaker=cast("SageMakerClient", self.endpoint),
            sagemaker_runtime=cast("SageMakerRuntimeClient", self.endpoint),
            functions=self.functions,
        )
        clock = lambdas.clock.Clock(self.clock.moment, self.clock.monotonic, self.clock.sleep)
        self.services = _Api(clients, self.settings_of_api, clock, inspection_kind=self.inspection_kind)
        self.resolver = make_resolver(self.services)
        # The functions beside the API, as they are deployed: with their own settings and nothing of the API's.
        ending = Jobs(clients, JobEventsSettings(**_fields(JobEventsSettings), STACK_NAME="stack"), clock)
        self.outcomes, self.run_times = ending.outcomes, ending.run_times
        self.events, self.sweeper = JobEvents.of(ending), Sweeper.of(ending)
        self.asset_sweep = AssetSweep.of(self.services)
        self.usage, self.load, self.counts = self.services.usage, self.services.load, self.services.counts
        self.jobs, self.job_transitions = self.services.jobs, self.services.job_transitions
        self.pages, self.objects = self.services.pages, self.services.objects
        self.assets, self.transitions = self.services.assets, self.services.asset_transitions
        self.inspection, self.work, self.uploads = self.services.inspection, self.services.work, self.services.uploads

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = "alice",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request; `body` is sent as it is when it is text or bytes, else as JSON."""
        event = {
            "httpMethod": method,
            "path": path,
            "resource": "/{proxy+}",
            "headers": {**({"X-Api-Key": KEYS[user]} if user else {}), **(headers or {})},
            "queryStringParameters": dict(query) if query else None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
            "requestContext": {"requestId": "request-1", "stage": "prod", "path": f"/prod{path}"},
            "isBase64Encoded": isinstance(body, bytes),
        }
        if isinstance(body, bytes):
            event["body"] = base64.b64encode(body).decode()
        else:
            event["body"] = body if isinstance(body, str) or body is None else json.dumps(body)
        return self.send(event)

    def send(self, event: Mapping[str, Any]) -> Reply:
        answer = self.resolver(event)
        headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
        reply = Reply(answer["statusCode"], headers, answer["body"] or "")
        for route in ROUTES:
            if route.method == event["httpMethod"] and route.matches(event["path"]):
                said = (
                    {route.status, *route.also}
                    if reply.status < 400
                    else {PROBLEMS[code].status for code in route.problems}
                )
                assert reply.status in said, f"{route.method} {route.path} does not document {reply.status}"
                assert reply.status < 400 or reply.json["code"] in route.problems
        return reply

    def counted(self) -> int:
        """AWS calls since the last time this was asked."""
        total = sum(self.calls.values()) + sum(self.endpoint.calls.values())
        self.calls.clear()
        self.endpoint.calls.clear()
        return total

    def checkpoint(self, name: str = "dream.safetensors", *, status: str = "active", sha256: str | None = None) -> str:
        """A checkpoint that is there already; its id."""
        return self.asset("checkpoint", name, status=status, sha256=sha256)

    def asset(
        self,
        kind: str,
        name: str,
        *,
        status: str = "active",
        sha256: str | None = None,
        architecture: str | None = None,
        alias: str | None = None,
        owner: str = "alice",
        trusted: bool = True,
        lacks_vae: bool = False,
        tags: tuple[str, ...] = (),
        users: tuple[str, ...] = (),
    ) -> str:
        """An asset that is there already, of an administrator unless not `trusted`; its id."""
        asset_id = new_id()
        asset = AssetRecord(
            asset_id=asset_id,
            owner=owner,
            trusted=trusted,
            type=AssetType(kind),
            name=name,
            size=10,
            sha256=sha256,
            key=f"assets/{asset_id}/{name}",
            upload_id="u",
            part_size=10,
            status=AssetStatus(status),
            created_at=START,
            tags=tags,
            users=users,
            facts=AssetFacts(architecture=architecture, alias=alias, lacks_vae=lacks_vae),
        )
        assert self.transitions.add(asset)
        return asset_id

    def all_assets(self) -> list[AssetRecord]:
        """Every asset there is, up to a hundred."""
        return self.assets.page(None, limit=100, cursor=None, signer=self.pages.signer, takes=lambda _: True)[0]

    def styles(self, name: str, text: str, **more: Any) -> None:
        """A styles file that is there already."""
        asset_id = self.asset("styles", name, **more)
        self.s3.put_object(Bucket=SETTINGS.ASSETS_BUCKET, Key=f"assets/{asset_id}/{name}", Body=text.encode())

    def job(self, *, user: str = "alice", task: Task = Task.TXT2IMG, **more: object) -> JobRecord:
        """A job in the table, sent through no route; `more` are fields of the record."""
        record = JobRecord(
            job_id=new_id(),
            owner=user,
            task=task,
            status=JobStatus.QUEUED,
            endpoint="artists",
            created_at=self.clock.moment(),
            open=IS_OPEN,
        )
        record = replace(record, queued_at=record.created_at, **cast("Any", more))
        record = replace(record, counted=True)
        self.counts.admit(record, Quotas(), guards=[], retention_days=30)
        if record.output_key or record.failure_key:
            self.job_transitions.keep_locations(record, output_key=record.output_key, failure_key=record.failure_key)
        return record

    def run(self, job_id: str, *, heartbeat: datetime | None = None) -> None:
        """What the container writes when it claims a job."""
        self.write(
            job_id,
            status="running",
            started_at=timestamp(self.clock.now),
            worker_id="w",
            heartbeat_at=int((heartbeat or self.clock.now).timestamp()),
        )

    def lose_worker(self, job_id: str) -> None:
        """The job has used up its second chance."""
        self.write(job_id, worker_lost_at=timestamp(START - timedelta(hours=1)))

    def write(self, job_id: str, **values: object) -> None:
        """Set attributes of a job's row, whatever they were."""
        self.dynamodb.update_item(
            TableName="jobs",
            Key=to_item({"job_id": job_id}),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=to_item({f":{name}": value for name, value in values.items()}),
        )

    def row(self, job_id: str) -> dict[str, Any]:
        item = self.dynamodb.get_item(TableName="jobs", Key=to_item({"job_id": job_id})).get("Item")
        return from_item(item) if item else {}

    def status(self, job_id: str) -> str:
        return str(self.row(job_id).get("status"))

    def rows(self, table: str = "jobs") -> int:
        return self.dynamodb.scan(TableName=table)["Count"]

    def keys(self, bucket: str = "jobs-bucket") -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def put(self, key: str, data: bytes, bucket: str = "jobs-bucket") -> str:
        self.s3.put_object(Bucket=bucket, Key=key, Body=data)
        return f"s3://{bucket}/{key}"

    def put_result(self, job_id: str, *, key: str | None = None) -> str:
        """SageMaker's output object of a finished job; its URI."""
        image = OutputImage(
            key=f"jobs/{job_id}/output/0.png", width=64, height=64, format="png", bytes=9, seed=7, infotext="a cat"
        )
        result = JobResult(
            job_id=job_id,
            task=Task.TXT2IMG,
            images=[image],
            info={"seed": 7},
            timings={"total": 1.5},
            metrics=JobMetrics(memory=CacheUse(hits=2, misses=1, bytes=4096, seconds=0.5)),
        )
        return self.put(key or f"endpoint-output/{job_id}.out", result.model_dump_json().encode())

    def put_failure(self, job_id: str, error: JobError) -> str:
        data = JobFailure(job_id=job_id, error=error).model_dump_json().encode()
        return self.put(f"endpoint-failure/{job_id}-error.out", data)


def notification(job_id: str, status: str, **more: Any) -> str:
    """SageMaker's message, as it is in an SNS record."""
    message = {
        "awsRegion": "eu-west-1",
        "eventTime": "2026-11-22T12:00:00.000Z",
        "receivedTime": "2026-11-22T11:59:00.000Z",
        "invocationStatus": status,
        "requestParameters": {"endpointName": "artists", "inputLocation": "s3://…"},
        "inferenceId": job_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
        **more,
    }
    return json.dumps(message)


def completed(job_id: str, location: str) -> str:
    return notification(
        job_id, "Completed", responseParameters={"contentType": "application/json", "outputLocation": location}
    )


def failed(job_id: str, location: str | None = None, reason: str = "Received server error (500)") -> str:
    parameters = {"responseParameters": {"failureLocation": location}} if location else {}
    return notification(job_id, "Failed", failureReason=reason, **parameters)


@contextmanager
def before_call(client: "DynamoDBClient | S3Client", operation: str, act: Callable[[], object]) -> Iterator[None]:
    """`act` before each call of an operation (`dynamodb.Query`), except those that `act` itself makes.

    The clients are those of all tests: what is not taken away again, whatever comes, fails another test.
    """
    acting = False

    def once(**_: object) -> None:
        nonlocal acting
        if not acting:
            acting = True
            try:
                act()
            finally:
                acting = False

    client.meta.events.register_first(f"before-call.{operation}", once)
    try:
        yield
    finally:
        client.meta.events.unregister(f"before-call.{operation}", once)


@dataclass
class Aws:
    """moto and the clients of all tests: making them takes longer than most tests."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    calls: Counter[str] = field(default_factory=Counter)


@contextmanager
def open_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        aws = Aws(dynamodb_client(), s3_client())
        for client in (aws.dynamodb, aws.s3):
            client.meta.events.register("before-send", lambda request, event_name, **_: _count(aws.calls, event_name))
        for bucket in BUCKETS:
            aws.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield aws


@contextmanager
def open_cloud(
    aws: Aws, *, inspection: type[Inspection] = Inspection, settings: ApiSettings = SETTINGS
) -> Iterator[Cloud]:
    """Empty tables and buckets with three keys; all of it is gone afterwards."""
    _make_table(aws.dynamodb, "jobs", "job_id", [(partition, SORT) for partition in JOB_LISTS])
    _make_table(aws.dynamodb, "assets", "asset_id", ASSET_INDEXES)
    _make_table(aws.dynamodb, "endpoints", "endpoint", [(("listed",), "endpoint")])
    _make_table(aws.dynamodb, "access", "access_id", [(("listing",), "place")])
    for user, key in KEYS.items():
        for row in account_rows(user, key, role="admin" if user == "root" else "artist"):
            aws.dynamodb.put_item(TableName="access", Item=to_item(row))
    aws.calls.clear()
    cloud = Cloud(
        aws.dynamodb, aws.s3, FakeEndpoint(), Clock(), aws.calls, inspection_kind=inspection, settings_of_api=settings
    )
    try:
        yield cloud
    finally:
        for table in ("jobs", "assets", "endpoints", "access"):
            aws.dynamodb.delete_table(TableName=table)
        for bucket in BUCKETS:
            for upload in aws.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                aws.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            for key in cloud.keys(bucket):
                aws.s3.delete_object(Bucket=bucket, Key=key)


def account_rows(user: str, key: str, *, role: str) -> list[dict[str, object]]:
    """A user with one key, as the first key and the routes make them."""
    access_id, created = key_row_id(key), {"created_at": timestamp(START), "created_by": "deployment"}
    rows: list[dict[str, object]] = [
        {"access_id": access_id, "user": user, "role": role, **created},
        {
            "access_id": f"user#{user}",
            "listing": "users",
            "place": user,
            "role": role,
            "key_ids": {access_id.removeprefix("key#")},
            "version": 0,
            **created,
        },
    ]
    return [*rows, {"access_id": "role#admin", "user_count": 1}] if role == "admin" else rows


def _count(calls: Counter[str], event_name: str) -> None:
    calls[event_name.rpartition(".")[2]] += 1


def _make_table(client: "DynamoDBClient", name: str, key: str, indexes: Sequence[tuple[tuple[str, ...], str]]) -> None:
    attributes = sorted({key, *(attribute for partition, sort in indexes for attribute in (*partition, sort))})
    more: Any = {}
    if indexes:
        # Only what the design promises is in an index of jobs: the keys.
        projection = "KEYS_ONLY" if name == "jobs" else "ALL"
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "-".join([*partition, sort]),
                "KeySchema": [
                    *({"AttributeName": attribute, "KeyType": "HASH"} for attribute in partition),
                    {"AttributeName": sort, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": projection},
            }
            for partition, sort in indexes
        ]
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in attributes],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def txt2img(**params: object) -> dict[str, object]:
    return {"task": "txt2img", "checkpoint": "dream", "params": {"prompt": "a cat", **params}}


def img2img(**params: object) -> dict[str, object]:
    return {"task": "img2img", "checkpoint": "dream", "params": {"init_images": [PNG], **params}}
