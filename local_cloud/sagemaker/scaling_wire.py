"""Application Auto Scaling over HTTP, as far as endpoints need it: creates and deletes targets and step policies."""

import json
import re
import uuid
from typing import Any

from local_cloud.asgi import AsgiApp, Receive, Scope, Send, read_body
from local_cloud.ministack.identities import DeniedError, Identities
from local_cloud.sagemaker.refusals import RefusedError
from local_cloud.sagemaker.scaling import Scaling
from local_cloud.sagemaker.wire import CONTROL_TYPE, refusal, send_json
from local_cloud.settings import ACCOUNT

_SCOPE = re.compile(rb"Credential=[^,]*/application-autoscaling/aws4_request")


class ScalingWire:
    """ASGI middleware: answers requests signed for application-autoscaling, passes all others to `inner`."""

    def __init__(self, inner: AsgiApp, scaling: Scaling, identities: Identities, *, region: str) -> None:
        self._inner = inner
        self._scaling = scaling
        self._identities = identities
        self._target_arn = f"arn:aws:application-autoscaling:{region}:{ACCOUNT}:scalable-target/local"
        self._operations = {
            "RegisterScalableTarget": self._register,
            "PutScalingPolicy": self._put_policy,
            "DeregisterScalableTarget": self._deregister,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        if scope["type"] != "http" or not _SCOPE.search(headers.get(b"authorization", b"")):
            await self._inner(scope, receive, send)
            return
        body = await read_body(receive)
        operation = headers.get(b"x-amz-target", b"").decode("latin-1").rpartition(".")[2]
        extra = {"content-type": CONTROL_TYPE}
        try:
            self._identities.check_request(
                scope,
                body,
                f"application-autoscaling:{operation}",
                self._target_arn,
                context={"application-autoscaling:service-namespace": _namespace(body)},
            )
            if operation == "RegisterScalableTarget":
                for action, resource in self._scaling.asked_beside(_document(body)):
                    self._identities.check_request(scope, body, action, resource)
            if operation not in self._operations:
                known = ", ".join(self._operations)
                raise RefusedError("UnknownOperationException", f"received {operation!r}; allowed: {known}")
            status, answer = 200, self._operations[operation](json.loads(body))
        except (RefusedError, DeniedError) as error:
            status, answer, extra = 400, *refusal(error)
        await send_json(send, status, answer, {"x-amzn-requestid": str(uuid.uuid4())} | extra)

    def _register(self, request: dict[str, Any]) -> dict[str, Any]:
        self._scaling.put_target(request)
        return {"ScalableTargetARN": self._target_arn}

    def _put_policy(self, request: dict[str, Any]) -> dict[str, Any]:
        self._require_target(request)
        return {"PolicyARN": self._scaling.put_policy(request), "Alarms": []}

    def _deregister(self, request: dict[str, Any]) -> dict[str, Any]:
        self._require_target(request)
        self._scaling.remove_target(request)
        return {}

    def _require_target(self, request: dict[str, Any]) -> None:
        if not self._scaling.has_target(request):
            raise RefusedError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: {request.get('ServiceNamespace')}, "
                f"resource ID: {request.get('ResourceId')}, scalable dimension: {request.get('ScalableDimension')}",
            )


def _namespace(body: bytes) -> str:
    return str(_document(body).get("ServiceNamespace", ""))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
