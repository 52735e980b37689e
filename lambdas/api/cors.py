"""What browsers may do with the API, from any origin: the key in a header is the authority, there are no cookies.

The gateway answers preflights by itself. Every other answer, a problem or an error of the gateway as much as a success,
must carry `ANSWER_HEADERS`, or the browser keeps it from the page.
"""

from collections.abc import Mapping
from typing import Final

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Traceparent",
    "X-Api-Key",
    "X-Correlation-Id",
)
"""What a page may send."""
EXPOSED_HEADERS: Final = (
    "ETag",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Traceparent",
    "X-Correlation-Id",
)
"""What a page may read besides `Content-Type` and the few others that browsers always show."""
ANSWER_HEADERS: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
}
