"""Where a list goes on: the sort position of the last line shown, opaque to clients.

A cursor says nothing about whose lines they are; that is always the caller's key.
"""

import base64
import binascii
import json
from collections.abc import Sequence

from inference_container.contract.errors import ProblemCode
from lambdas.problems import ProblemError

MAX_CURSOR_CHARACTERS = 4096


def encode_cursor(position: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, parts: int) -> tuple[str, ...]:
    """The position in `cursor`, made of `parts` non-empty strings.

    Raises:
        ProblemError: `invalid_cursor`.
    """
    if len(cursor) <= MAX_CURSOR_CHARACTERS and cursor.isascii():
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            position = json.loads(raw)
        except (binascii.Error, ValueError, RecursionError):
            position = None
        if (
            isinstance(position, list)
            and len(position) == parts
            and all(isinstance(part, str) and 0 < len(part) <= 200 and _is_text(part) for part in position)
            and encode_cursor(position) == cursor
        ):
            return tuple(position)
    raise invalid_cursor()


def invalid_cursor() -> ProblemError:
    return ProblemError(
        ProblemCode.INVALID_CURSOR, "Received a cursor this API did not give; allowed: next_cursor of the page before."
    )


def _is_text(part: str) -> bool:
    try:
        part.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
