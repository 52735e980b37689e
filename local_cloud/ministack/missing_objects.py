"""Callers who may not list a bucket do not learn which objects are missing: 403 instead of 404, as S3 answers."""

from collections.abc import Awaitable, Callable
from typing import Any

Answer = tuple[int, dict[str, str], Any]
Handler = Callable[..., Awaitable[Answer]]
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


def hiding_missing_objects(handler: Handler, may: Callable[[str, str, str], bool]) -> Handler:
    """ministack's S3 handler with that rule.

    Args:
        may: whether the owner of an access key may do an action on a resource.
    """
    from ministack.core.router import extract_access_key_id

    async def hiding(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        answer = await handler(method, path, headers, body, query)
        bucket, _, key = path.lstrip("/").partition("/")
        # A missing upload is revealed to everyone who may look for it.
        if answer[0] != 404 or method not in {"GET", "HEAD"} or not key or "uploadId" in query:
            return answer
        asking = extract_access_key_id(headers, query)
        # Without a key, it is the local cloud itself.
        if not asking or may(asking, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
            return answer
        return 403, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else _DENIED

    return hiding
