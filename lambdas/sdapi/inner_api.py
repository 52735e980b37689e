"""The stage's own REST API without its gateway: requests go straight to the API's function."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import httpx
from botocore.exceptions import BotoCoreError, ClientError

URL: Final = "http://api.inside"
"""What the client of our API is given as its address; other hosts, such as storage's, are reached as usual."""
_TOO_MANY = frozenset({"TooManyRequestsException", "ThrottlingException"})


class FunctionsClient(Protocol):
    """The part of Lambda's client that is used."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803
        """Call a function and wait for its answer."""


class InnerApi(httpx.BaseTransport):
    """Sends each request as the event that API Gateway would make of it."""

    def __init__(self, client: FunctionsClient, function: str, context: Mapping[str, Any]) -> None:
        """`context` is the `requestContext` of the request that came from outside: its id and address are logged."""
        self._client = client
        self._function = function
        self._context = dict(context)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The function's answer.

        Raises:
            httpx.TransportError: it did not answer.
        """
        payload = json.dumps(self._event(request)).encode()
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=payload)
            content = json.loads(answer["Payload"].read())
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _TOO_MANY:  # as the gateway says it
                return httpx.Response(429, headers={"retry-after": "2"}, text=f"As many functions run as may: {code}")
            raise httpx.ConnectError(f"the API's function was not called: {code}") from error
        except (BotoCoreError, ValueError) as error:
            raise httpx.ReadError(f"the API's function gave no answer: {error}") from error
        if "FunctionError" in answer:
            raise httpx.RemoteProtocolError("the API's function failed; its log says why")
        return _response(content)

    def _event(self, request: httpx.Request) -> dict[str, Any]:
        query: dict[str, list[str]] = {}
        for name, value in request.url.params.multi_items():
            query.setdefault(name, []).append(value)
        headers = dict(request.headers)
        return {
            "resource": "/{proxy+}",
            "path": request.url.path,
            "httpMethod": request.method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "requestContext": self._context,
            "body": request.read().decode() or None,
            "isBase64Encoded": False,
        }


def _response(answer: Mapping[str, Any]) -> httpx.Response:
    headers = [(name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values]
    body = str(answer.get("body") or "")
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return httpx.Response(int(answer["statusCode"]), headers=headers, content=content)
