"""Params of the single drawings of a script that draws one request in several ways: checked as if sent alone."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")
MAX_TEXT = 1_000_000
"""Characters of the prompts of all drawings together."""


def varied(params: Params, changes: Mapping[str, object], *, place: str) -> Params:
    """`params` with other values in some fields, checked like a request.

    Raises:
        ValueError: such a request would be refused; the text names the `place` in the script, the field and the reason.
    """
    given = {name: getattr(params, name) for name in params.model_fields_set - {"script_name", "script_args"}}
    try:
        return type(params).model_validate({**given, **changes})
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (received {str(fault['input'])[:60]!r})"
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors(include_url=False)
        )
        raise ValueError(f"{place}: {'; '.join(faults)}") from None


def check_text(total: int) -> None:
    """Check that a script does not make too many characters of its prompts; `total` has all drawings'.

    Raises:
        ValueError: it does.
    """
    if total > MAX_TEXT:
        raise ValueError(f"received prompts that expand to {total} characters; allowed: up to {MAX_TEXT}")


def check_expanded(drawings: Iterable["ImageParams"]) -> None:
    """`check_text` for the prompts of all drawings; raises like it."""
    check_text(sum(len(one.prompt) + len(one.negative_prompt) for one in drawings))
