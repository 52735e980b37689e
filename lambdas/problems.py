"""Why a request was refused: raised anywhere, turned into problem JSON in one place (`lambdas.api.handler`)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from generate_on_cloud.contract.errors import PROBLEMS, FieldError, Problem, ProblemCode

SHOWN_CHARACTERS = 300
"""Maximum characters of the user's own input that an answer repeats."""
MAX_MESSAGE = 600
"""Maximum characters of one field's message."""
MAX_ERRORS = 100
"""Maximum number of field errors that are collected."""
MAX_LISTED = 1500
"""Maximum bytes of all field errors in one answer, as JSON: a refusal stays below two kilobytes."""


class ProblemError(Exception):
    """Ends a request with the problem `code`; `detail` and `errors` are written for the user."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds after which the same request may succeed; None if it never will."""
        self.headers = headers
        """Further headers of the answer."""

    def problem(self, request_id: str) -> Problem:
        """The body of the answer."""
        rule, listed = PROBLEMS[self.code], _that_fit(self.errors)
        unsaid = len(self.errors) - len(listed)
        return Problem(
            type=f"urn:generate-on-cloud:problem:{self.code}",
            title=rule.title,
            status=rule.status,
            code=self.code,
            detail=self.detail + (f" ({unsaid} more errors are not listed)" if unsaid else ""),
            request_id=request_id,
            errors=listed,
        )


def _that_fit(errors: Sequence[FieldError]) -> list[FieldError]:
    """The first errors, up to MAX_LISTED bytes, but at least one."""
    room = MAX_LISTED
    listed: list[FieldError] = []
    for error in errors:
        room -= len(error.model_dump_json().encode())
        if room < 0 and listed:
            break
        listed.append(error)
    return listed


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """`invalid_params` for these fields."""
    return ProblemError(ProblemCode.INVALID_PARAMS, sentence(errors), errors=errors)


def sentence(errors: Sequence[FieldError]) -> str:
    """The first error with its field, and how many more there are: a problem's `detail`."""
    first, rest = errors[0], errors[1:MAX_ERRORS]
    field = first.pointer.removeprefix("/params").lstrip("/") or "request"
    told = first.message if first.message.startswith(f"{field}:") else f"{field}: {first.message}"
    return shortened(told) + (f" ({len(rest)} more errors are listed)" if rest else "")


def shortened(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """`text`, cut to the length that an answer may repeat."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
