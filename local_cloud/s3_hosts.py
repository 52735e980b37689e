"""S3's hosts as on AWS: the global host serves buckets in us-east-1 and redirects for all others.

A presigned URL does not survive the redirect, because the host is signed too.
"""

import re
from typing import Final

from local_cloud.asgi import AsgiApp, Receive, Scope, Send

_GLOBAL_REGION: Final = "us-east-1"
_GLOBAL_HOST: Final = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3\.amazonaws\.com(:\d+)?")


def redirecting_global_hosts(inner: AsgiApp, *, region: str) -> AsgiApp:
    """`inner`, whose buckets are in `region`: requests to the global host are redirected (307) to the regional one."""

    async def redirecting(scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"host"]
        found = _GLOBAL_HOST.fullmatch(hosts[0]) if hosts else None
        if scope["type"] != "http" or found is None or region == _GLOBAL_REGION:
            await inner(scope, receive, send)
            return
        host = f"{found['bucket']}.s3.{region}.amazonaws.com"
        query = scope["query_string"].decode("latin-1")
        location = f"https://{host}{scope['path']}" + (f"?{query}" if query else "")
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><Error><Code>TemporaryRedirect</Code><Message>Please re-send this '
            "request to the specified temporary endpoint. Continue to use the original request endpoint for future "
            f"requests.</Message><Endpoint>{host}</Endpoint><Bucket>{found['bucket']}</Bucket></Error>"
        ).encode()
        headers = {"content-type": "application/xml", "location": location, "content-length": str(len(body))}
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 307, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    return redirecting
