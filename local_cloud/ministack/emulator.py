"""The emulated AWS services in this process: started, watched, called and stopped."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from local_cloud.asgi import Answer, AsgiApp, Message, ask, without_bodies_of_204
from local_cloud.ministack.async_topics import retry_what_topics_start
from local_cloud.ministack.images import manifest_type
from local_cloud.ministack.index_lag import IndexLag
from local_cloud.ministack.large_objects import tame_large_objects
from local_cloud.ministack.message_moves import teach_message_moves
from local_cloud.ministack.patches import extend, replace
from local_cloud.ministack.second_deliveries import SecondDeliveries
from local_cloud.ministack.state import EmulatorState
from local_cloud.ministack.throttles import answer_throttles_as_failed_integrations
from local_cloud.ministack.worker_pool import WorkerPool
from local_cloud.root_credential import RootCredential
from local_cloud.settings import ACCOUNT, LocalSettings


class EmulatorError(Exception):
    """The emulated AWS refused something that the local cloud itself requested."""


@dataclass(frozen=True, kw_only=True)
class ServiceRequest:
    """A request to a service."""

    service: str
    action: str
    """Operation name, or the HTTP method if the service's requests do not name one."""
    path: str
    body: bytes
    account: str
    region: str


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """How CloudFormation creates, changes and deletes one type of resource; properties are already resolved."""

    create: Callable[[str, dict[str, Any], str], tuple[str, dict[str, str]]]
    """(logical id, properties, stack name) → (physical id, attributes)"""
    update: Callable[[str, dict[str, Any], dict[str, Any], str], tuple[str, dict[str, str]]]
    """(physical id, old properties, new properties, stack name) → (physical id, attributes)"""
    delete: Callable[[str, dict[str, Any]], None]
    """(physical id, properties)"""


class Emulator:
    """The AWS services of this process. Only one can exist per process: ministack keeps its state in modules."""

    def __init__(self, settings: LocalSettings) -> None:
        """Import ministack, whose modules read `emulator_environment` from os.environ at that moment."""
        from ministack import app as ministack_app
        from ministack.core import persistence, responses

        self._app = ministack_app
        self.state = EmulatorState(ministack_app, persistence, settings.emulator_dir)
        self._responses = responses
        self._settings = settings
        self._root = RootCredential.of_environment()
        self._lifespan: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: asyncio.Queue[Message] = asyncio.Queue()
        replace("core.iam_evaluator.is_root_access_key", lambda _: self._is_root)
        WorkerPool()
        answer_throttles_as_failed_integrations()
        SecondDeliveries(settings.unkindness)
        retry_what_topics_start()
        IndexLag(settings.unkindness.index_lag_seconds, seed=settings.unkindness.seed)
        replace("services.apigateway_v1._build_lambda_event_v1", _with_whole_bodies)
        teach_message_moves()
        tame_large_objects()

    def _is_root(self, access_key: str) -> bool:
        return access_key in {"", self._root.access_key}

    @property
    def asgi(self) -> AsgiApp:
        return without_bodies_of_204(self._app.app)

    def register(self, name: str, resource: ResourceType) -> None:
        """Register the resource type `name` with CloudFormation."""
        handlers = {"create": resource.create, "update": resource.update, "delete": resource.delete}
        extend("services.cloudformation.provisioners._RESOURCE_HANDLERS", {name: handlers})

    def watch(
        self, before: Callable[[ServiceRequest], Callable[[], None]], after: Callable[[ServiceRequest], None]
    ) -> None:
        """Call `before` before each service request, and what it returns in the end.

        Call `after` between every successful request and its answer, in the order the services ran them.

        Both run on the event loop, uninterrupted. An exception in `before` makes the answer an error and nothing is
        applied; one in `after` makes the answer an error.
        """
        watched = {
            service: self._watched(service, handler, before, after)
            for service, handler in self._app.SERVICE_HANDLERS.items()
        }
        extend("app.SERVICE_HANDLERS", watched)

    def _watched(
        self,
        service: str,
        handler: Any,
        before: Callable[[ServiceRequest], Callable[[], None]],
        after: Callable[[ServiceRequest], None],
    ) -> Any:
        async def watched(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            request = ServiceRequest(
                service=service,
                action=_action(method, headers, body, query),
                path=path,
                body=body,
                account=self._responses.get_account_id(),
                region=self._responses.get_region(),
            )
            finished = before(request)
            try:
                answer = await handler(method, path, headers, body, query)
                if answer[0] < 300:
                    after(request)
            finally:
                finished()
            return answer

        return watched

    async def start(self) -> None:
        """Load the saved state and start the services' own loops."""
        self._lifespan = asyncio.create_task(
            self._app.app({"type": "lifespan", "asgi": {"version": "3.0"}}, self._events.get, self._replies.put)
        )
        await self._lifespan_step("lifespan.startup")

    async def stop(self) -> None:
        """Stop the services' loops and the warm functions. The state is saved elsewhere, by its owner."""
        from ministack.core import lambda_runtime

        replace("app.PERSIST_STATE", lambda _: False)
        await self._lifespan_step("lifespan.shutdown")
        lambda_runtime.reset()

    async def _lifespan_step(self, event: str) -> None:
        await self._events.put({"type": event})
        reply = await self._replies.get()
        if reply["type"] != f"{event}.complete":
            raise EmulatorError(f"the AWS emulator failed during {event}: {reply.get('message', reply['type'])}")

    async def repeat_write(self, *, account: str, region: str, action: str, body: str) -> int:
        """Run a DynamoDB write again, directly in the service; returns its HTTP status."""
        from ministack.services import dynamodb

        with self._responses.request_scope(account, region):
            status, _, _ = await dynamodb.handle_request(
                "POST", "/", {"x-amz-target": f"DynamoDB_20120810.{action}"}, body.encode(), {}
            )
        return int(status)

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Call an AWS service inside this process as root, behind the gate that checks signatures."""
        scope = f"{self._root.access_key}/20260101/{self._settings.region}/{service}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=local"
        sent = {"authorization": authorization, **(headers or {})}
        return await ask(self._app.app, method, path, port=self._settings.port, headers=sent, body=body)

    async def get_object(self, bucket: str, key: str) -> bytes:
        """The bytes of an S3 object.

        Raises:
            EmulatorError: the object or the bucket does not exist.
        """
        answer = await self.call("s3", "GET", f"/{bucket}/{key}")
        if answer.status != 200:
            raise EmulatorError(f"could not read s3://{bucket}/{key}: {_reason(answer)}")
        return answer.body

    async def put_object(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Write an S3 object.

        Raises:
            EmulatorError: the bucket does not exist.
        """
        answer = await self.call("s3", "PUT", f"/{bucket}/{key}", headers={"content-type": content_type}, body=body)
        if answer.status != 200:
            raise EmulatorError(f"could not write s3://{bucket}/{key}: {_reason(answer)}")

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send EventBridge an event of an AWS service; the functions it triggers run in their own threads."""
        from ministack.services import eventbridge

        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
        with self._responses.request_scope(ACCOUNT, self._settings.region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001

    def manifest_type(self, repository: str, reference: str) -> str | None:
        """Media type of the manifest of the image with this tag or digest in ECR; None if it does not exist."""
        return manifest_type(repository, reference, account=ACCOUNT, region=self._settings.region)

    async def publish(self, topic_arn: str, message: str) -> None:
        """Send `message` to an SNS topic; subscribed queues have it when this returns.

        Raises:
            EmulatorError: the topic does not exist.
        """
        form = urlencode({"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic_arn, "Message": message})
        answer = await self.call(
            "sns", "POST", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=form.encode()
        )
        if answer.status != 200:
            raise EmulatorError(f"could not publish to {topic_arn}: {_reason(answer)}")


def _with_whole_bodies(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`build`, but a body that is not UTF-8 reaches the function as it is; the API refuses it as no JSON."""

    def built(*arguments: Any, **named: Any) -> dict[str, Any]:
        event, body = build(*arguments, **named), arguments[7]
        try:
            (body or b"").decode("utf-8")
        except UnicodeDecodeError:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        return event

    return built


def _action(method: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> str:
    target = headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[-1]
    if "Action" in query:
        return str(query["Action"][0])
    if body.startswith(b"Action=") or b"&Action=" in body[:100_000]:
        return body[body.index(b"Action=") + 7 :].split(b"&", 1)[0].decode()
    return method


def _reason(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:500].decode(errors='replace')}"
