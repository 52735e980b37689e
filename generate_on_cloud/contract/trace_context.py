"""W3C Trace Context, level 1: the header `traceparent` that joins the spans of one request across programs."""

import re
from typing import Final, NamedTuple

HEADER: Final = "traceparent"
_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace_id>[0-9a-f]{32})-(?P<span_id>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)


class TraceContext(NamedTuple):
    """The span that a request belongs to."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    flags: str
    """Two hex digits; the last bit: whether its sender records the trace."""

    @property
    def traceparent(self) -> str:
        """The header, in the version that we know."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def read_traceparent(text: str | None) -> TraceContext | None:
    """The context in a header of this or any later version; None for what W3C says to ignore."""
    found = _TRACEPARENT.fullmatch((text or "").strip())
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    context = TraceContext(found["trace_id"], found["span_id"], found["flags"])
    return context if int(context.trace_id, 16) and int(context.span_id, 16) else None
