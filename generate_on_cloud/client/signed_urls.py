"""Requests to presigned URLs, which storage may refuse earlier than their own expiry says."""

from collections.abc import Callable
from typing import TypeVar

import httpx

Place = TypeVar("Place")

_REFUSED = 403
_EXPIRED_TOKEN = b"<Code>ExpiredToken</Code>"
"""S3's code, with status 400, if the credentials that signed the URL have ended."""


def is_refused(response: httpx.Response) -> bool:
    """Whether storage refuses the URL, so that a fresh one may work."""
    return response.status_code == _REFUSED or (response.status_code == 400 and _EXPIRED_TOKEN in response.content)


def with_fresh_url(
    request: Callable[[Place], httpx.Response], place: Place, renew: Callable[[], Place]
) -> httpx.Response:
    """`request(place)`, or, if storage refuses that URL, `request(renew())`, once."""
    response = request(place)
    return request(renew()) if is_refused(response) else response
