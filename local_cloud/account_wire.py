"""What a deployer reads about an account before deploying: Service Quotas, and the region's instance types."""

import json
import re
import uuid
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from local_cloud.account import Account
from local_cloud.asgi import AsgiApp, Receive, Scope, Send, read_body, replayed
from local_cloud.sagemaker.refusals import RefusedError
from local_cloud.sagemaker.wire import CONTROL_TYPE, refusal, send_json
from local_cloud.settings import LocalSettings

PAGE: Final = 5
"""Quotas per answer; AWS has hundreds for SageMaker, so a client must follow the pages."""
ZONES: Final = "abc"
"""The region's zones, each of which has every type."""
_QUOTAS = re.compile(rb"Credential=[^,]*/servicequotas/aws4_request")
_EC2 = re.compile(rb"Credential=[^,]*/ec2/aws4_request")


class AccountWire:
    """ASGI middleware: answers these requests and passes all others to `inner`; changes nothing."""

    def __init__(self, inner: AsgiApp, settings: LocalSettings) -> None:
        self._inner = inner
        self._account = Account(settings.account_file)
        self._region = settings.region

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        signed = headers.get(b"authorization", b"")
        if scope["type"] == "http" and _QUOTAS.search(signed):
            await self._answer_quotas(headers, await read_body(receive), send)
        elif scope["type"] == "http" and _EC2.search(signed):
            body = await read_body(receive)
            asked = dict(parse_qsl(body.decode("latin-1")))
            if asked.get("Action") == "DescribeInstanceTypeOfferings":
                await self._answer_offerings(asked, send)
            else:
                await self._inner(scope, replayed(body), send)
        else:
            await self._inner(scope, receive, send)

    async def _answer_quotas(self, headers: dict[bytes, bytes], body: bytes, send: Send) -> None:
        operation = headers.get(b"x-amz-target", b"").decode("latin-1").rpartition(".")[2]
        extra = {"content-type": CONTROL_TYPE}
        answer: dict[str, Any]
        try:
            if operation not in {"ListServiceQuotas", "ListAWSDefaultServiceQuotas"}:
                allowed = "ListServiceQuotas, ListAWSDefaultServiceQuotas"
                raise RefusedError("UnknownOperationException", f"received {operation!r}; allowed: {allowed}")
            request = json.loads(body)
            quotas = self._quotas() if request.get("ServiceCode") == "sagemaker" else []
            start = int(request.get("NextToken") or 0)
            end = start + min(PAGE, int(request.get("MaxResults") or PAGE))
            more = {"NextToken": str(end)} if end < len(quotas) else {}
            status, answer = 200, {"Quotas": quotas[start:end], **more}
        except RefusedError as error:
            status, answer, extra = 400, *refusal(error)
        await send_json(send, status, answer, {"x-amzn-requestid": str(uuid.uuid4())} | extra)

    def _quotas(self) -> list[dict[str, Any]]:
        return [
            {"ServiceCode": "sagemaker", "QuotaCode": f"L-{number:08X}", "QuotaName": name, "Value": float(value)}
            for number, (name, value) in enumerate(sorted(self._account.quotas().items()), start=1)
        ]

    async def _answer_offerings(self, asked: dict[str, str], send: Send) -> None:
        known = self._account.instance_types()
        wanted = {value for name, value in asked.items() if re.fullmatch(r"Filter\.\d+\.Value\.\d+", name)}
        by = asked.get("LocationType", "region")
        places = [self._region] if by == "region" else [f"{self._region}{zone}" for zone in ZONES]
        items = "".join(
            f"<item><instanceType>{escape(kind)}</instanceType><locationType>{by}</locationType>"
            f"<location>{place}</location></item>"
            for kind in known
            if not wanted or kind in wanted
            for place in places
        )
        body = (
            '<DescribeInstanceTypeOfferingsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>{uuid.uuid4()}</requestId><instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
            "</DescribeInstanceTypeOfferingsResponse>"
        ).encode()
        headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
