"""Pydantic's errors as the API's field errors: a JSON pointer, what was received, what is allowed."""

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from generate_on_cloud.contract.errors import FieldError, reference_token
from generate_on_cloud.contract.suggestions import nearest
from lambdas.problems import MAX_ERRORS, MAX_MESSAGE, SHOWN_CHARACTERS, shortened

_REASON_ENOUGH = ("missing", "value_error")
"""Errors whose own text already names what was received, or where nothing was received."""

ROOT = "/params"
"""Pointers point into the body of `POST /v1/jobs`, also when the params were uploaded as a separate document."""


def field_errors(error: ValidationError, model: type[BaseModel], *, prefix: str = "") -> list[FieldError]:
    """One field error per pydantic error (at most one more than an answer shows), with pointers below `prefix`."""
    found = []
    for finding in error.errors(include_url=False, include_context=False)[: MAX_ERRORS + 1]:
        location = finding["loc"]
        if finding["type"] == "extra_forbidden":
            message = f"unknown field {shortened(str(location[-1]))!r}"
            if len(location) == 1:
                message += f"; allowed: {_fields(model)}"
                message += nearest(str(location[-1]), model.model_fields)
        else:
            message = finding["msg"].removeprefix("Value error, ")
            if finding["type"] not in _REASON_ENOUGH:
                message = f"received {shortened(repr(finding['input']))}; {message[:1].lower()}{message[1:]}"
        pointer_to = prefix + pointer(location)
        found.append(FieldError(pointer=shortened(pointer_to), message=shortened(message, MAX_MESSAGE)))
    return found


def _fields(model: type[BaseModel]) -> str:
    names = ", ".join(model.model_fields)
    return names if len(names) < SHOWN_CHARACTERS else f"the {len(model.model_fields)} fields in /v1/openapi.json"


def pointer(location: Sequence[int | str]) -> str:
    """RFC 6901 pointer for pydantic's location."""
    return "".join(f"/{reference_token(str(part))}" for part in location)
