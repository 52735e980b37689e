"""SageMaker over HTTP, as boto3 speaks it: the control plane in JSON 1.1 and the runtime's InvokeEndpointAsync."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from local_cloud.asgi import AsgiApp, Receive, Scope, Send, read_body
from local_cloud.ministack.identities import DeniedError, Identities
from local_cloud.sagemaker.control import ControlPlane, required
from local_cloud.sagemaker.records import EndpointStatus, Kind, NewInvocation, Resource
from local_cloud.sagemaker.refusals import RefusedError
from local_cloud.sagemaker.service import NAME_PROPERTIES, SageMaker
from local_cloud.sagemaker.specs import NotDeployableError
from local_cloud.settings import ACCOUNT

_SCOPE = re.compile(rb"Credential=[^,]*/sagemaker/aws4_request")
_ASYNC_PATH = re.compile(r"/endpoints/([^/]+)/async-invocations")
_LOCATION = re.compile(r"s3://[^/]+/.+")
_HEADER = "x-amzn-sagemaker-"
CONTROL_TYPE = "application/x-amz-json-1.1"

PASSED = {"iam:PassRole": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
"""Condition keys for the additional permissions that an operation needs."""

TTL_SECONDS = (60, 21_600)
TIMEOUT_SECONDS = (1, 3_600)
DEFAULT_TTL_SECONDS = 21_600
DEFAULT_TIMEOUT_SECONDS = 900


class SageMakerWire:
    """ASGI middleware: answers requests signed for SageMaker, passes all others to `inner`."""

    def __init__(self, inner: AsgiApp, sagemaker: SageMaker, identities: Identities) -> None:
        self._inner = inner
        self._sagemaker = sagemaker
        self._identities = identities
        self._operations = {
            "DescribeEndpoint": self._describe_endpoint,
            "ListEndpoints": self._list_endpoints,
            "DescribeEndpointConfig": self._describe_endpoint_config,
            "DescribeModel": self._describe_model,
            **ControlPlane(sagemaker).operations,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        if scope["type"] != "http" or not _SCOPE.search(headers.get(b"authorization", b"")):
            await self._inner(scope, receive, send)
            return
        body = await read_body(receive)
        text = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.items()}
        invoked = _ASYNC_PATH.fullmatch(str(scope["path"]))
        try:
            for action, resource in self._asked(invoked, text, body):
                self._identities.check_request(scope, body, action, resource, context=PASSED.get(action))
            if invoked:
                status, answer, extra = 202, *self._invoke_async(unquote(invoked[1]), text)
            else:
                status, answer, extra = 200, self._control(text, body), {"content-type": CONTROL_TYPE}
        except (RefusedError, DeniedError) as error:
            status, answer, extra = 400, *refusal(error)
        sent = {"content-type": "application/json", "x-amzn-requestid": str(uuid.uuid4())} | extra
        await send_json(send, status, answer, sent)

    def _asked(self, invoked: re.Match[str] | None, headers: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
        """IAM actions and resources of a request: the operation's own, and those that AWS checks in addition."""
        if invoked:
            return [("sagemaker:InvokeEndpointAsync", self._sagemaker.arn(Kind.ENDPOINT, unquote(invoked[1])))]
        operation = headers.get("x-amz-target", "").removeprefix("SageMaker.")
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            request = None
        # UpdateEndpointWeightsAndCapacities is about an endpoint as well, although its name does not end like that.
        subject = operation.removesuffix("WeightsAndCapacities")
        for kind, name in NAME_PROPERTIES.items():
            if isinstance(request, dict) and subject.endswith(name.removesuffix("Name")) and request.get(name):
                arn = self._sagemaker.arn(kind, str(request[name]))
                return [(f"sagemaker:{operation}", arn), *self._asked_beside(operation, arn, request)]
        return [(f"sagemaker:{operation}", "*")]

    def _asked_beside(self, operation: str, arn: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Creating a resource also needs the permissions to tag it, to use its configuration and to pass its role."""
        if not operation.startswith("Create"):
            return
        if request.get("Tags"):
            yield "sagemaker:AddTags", arn
        if operation == "CreateEndpoint" and request.get("EndpointConfigName"):
            yield "sagemaker:CreateEndpoint", self._sagemaker.arn(Kind.ENDPOINT_CONFIG, request["EndpointConfigName"])
        if request.get("ExecutionRoleArn"):
            yield "iam:PassRole", str(request["ExecutionRoleArn"])

    def _control(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        operation = headers.get("x-amz-target", "").removeprefix("SageMaker.")
        if operation not in self._operations:
            known = ", ".join([*self._operations, "InvokeEndpointAsync"])
            raise RefusedError(
                "UnknownOperationException", f"received {operation or 'no'!r} operation; allowed: {known}"
            )
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise RefusedError("SerializationException", f"the body is not JSON: {error}") from error
        return self._operations[operation](request)

    def _describe_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = required(self._sagemaker, Kind.ENDPOINT, str(request.get("EndpointName", "")))
        count = self._sagemaker.instance_count(endpoint.name)
        answer: dict[str, Any] = self._summary(endpoint) | {
            "EndpointConfigName": str(endpoint.properties["EndpointConfigName"]).rsplit("/", 1)[-1],
            "ProductionVariants": [
                {
                    "VariantName": self._variant(endpoint.name),
                    "CurrentWeight": 1.0,
                    "DesiredWeight": 1.0,
                    "CurrentInstanceCount": count,
                    "DesiredInstanceCount": self._sagemaker.desired_count(endpoint.name),
                }
            ],
        }
        if endpoint.failure_reason is not None:
            answer["FailureReason"] = endpoint.failure_reason
        return answer

    def _list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 100)
        found = [
            endpoint
            for endpoint in self._sagemaker.store.list(Kind.ENDPOINT)
            if request.get("NameContains", "").lower() in endpoint.name.lower()
            and request.get("StatusEquals", endpoint.status) == endpoint.status
        ]
        answer: dict[str, Any] = {"Endpoints": [self._summary(endpoint) for endpoint in found[start : start + size]]}
        if start + size < len(found):
            answer["NextToken"] = str(start + size)
        return answer

    def _describe_endpoint_config(self, request: dict[str, Any]) -> dict[str, Any]:
        config = required(self._sagemaker, Kind.ENDPOINT_CONFIG, str(request.get("EndpointConfigName", "")))
        return _described(config) | {"EndpointConfigName": config.name, "EndpointConfigArn": config.arn}

    def _describe_model(self, request: dict[str, Any]) -> dict[str, Any]:
        model = required(self._sagemaker, Kind.MODEL, str(request.get("ModelName", "")))
        return _described(model) | {"ModelName": model.name, "ModelArn": model.arn}

    def _variant(self, endpoint: str) -> str:
        try:
            return self._sagemaker.spec(endpoint).variant
        except NotDeployableError:
            return "AllTraffic"

    def _summary(self, endpoint: Resource) -> dict[str, Any]:
        return {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created_at,
            "LastModifiedTime": endpoint.modified_at,
        }

    def _invoke_async(self, name: str, headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        endpoint = self._sagemaker.store.get(Kind.ENDPOINT, name)
        if endpoint is None:
            raise RefusedError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        if endpoint.status not in {EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING}:
            raise RefusedError(
                "ValidationError",
                f"Endpoint {name} of account {ACCOUNT} is not in service: "
                f"{endpoint.failure_reason or endpoint.status}.",
            )
        location = headers.get(f"{_HEADER}inputlocation", "")
        if not _LOCATION.fullmatch(location):
            raise RefusedError("ValidationError", f"received InputLocation {location!r}; allowed: s3://bucket/key")
        spec, answer_id = self._sagemaker.spec(name), str(uuid.uuid4())
        invocation = NewInvocation(
            endpoint=name,
            inference_id=headers.get(f"{_HEADER}inference-id") or str(uuid.uuid4()),
            input_location=location,
            content_type=headers.get(f"{_HEADER}content-type", "application/octet-stream"),
            accept=headers.get(f"{_HEADER}accept", "*/*"),
            custom_attributes=headers.get(f"{_HEADER}custom-attributes", ""),
            output_location=f"{spec.output_path}/{answer_id}.out",
            failure_location=f"{spec.failure_path}/{answer_id}-error.out" if spec.failure_path else None,
            received_at=time.time(),
            ttl_seconds=_seconds(headers, "requestttlseconds", TTL_SECONDS, DEFAULT_TTL_SECONDS),
            timeout_seconds=_seconds(headers, "invocationtimeoutseconds", TIMEOUT_SECONDS, DEFAULT_TIMEOUT_SECONDS),
        )
        self._sagemaker.enqueue(invocation)
        extra = {f"{_HEADER}outputlocation": invocation.output_location}
        if invocation.failure_location is not None:
            extra[f"{_HEADER}failurelocation"] = invocation.failure_location
        return {"InferenceId": invocation.inference_id}, extra


def _described(resource: Resource) -> dict[str, Any]:
    described = {name: value for name, value in resource.properties.items() if name != "Tags"}
    for variant in described.get("ProductionVariants", ()):
        # CloudFormation may pass numbers as text; SageMaker's API may not.
        for name, number in (
            ("InitialInstanceCount", int),
            ("InitialVariantWeight", float),
            ("ContainerStartupHealthCheckTimeoutInSeconds", int),
        ):
            if name in variant:
                variant[name] = number(variant[name])
    return described | {"CreationTime": resource.created_at}


def _seconds(headers: Mapping[str, str], name: str, allowed: tuple[int, int], default: int) -> int:
    text = headers.get(f"{_HEADER}{name}")
    if text is None:
        return default
    low, high = allowed
    if not text.isdecimal() or not low <= int(text) <= high:
        raise RefusedError("ValidationError", f"received {text!r} for {name}; allowed: from {low} to {high}")
    return int(text)


def refusal(error: RefusedError | DeniedError) -> tuple[dict[str, str], dict[str, str]]:
    """Document and headers of an answer with status 400, in the format of AWS's JSON services."""
    code = error.code if isinstance(error, RefusedError) else "AccessDeniedException"
    document = {"__type": code, "message": str(error), "Message": str(error)}
    return document, {"content-type": CONTROL_TYPE, "x-amzn-errortype": code}


async def send_json(send: Send, status: int, answer: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Answer a request with a JSON document."""
    document = json.dumps(answer).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-length", str(len(document)).encode()),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": document})
