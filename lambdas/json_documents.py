"""Reads JSON from clients as Python writes it, with bounded nesting and with text that can be stored as UTF-8."""

import json

from generate_on_cloud.contract.errors import ProblemCode
from lambdas.problems import ProblemError, shortened

MAX_DEPTH = 64


def read_document(data: bytes) -> object:
    """The value of the JSON document `data`, which may begin with a byte order mark, as editors on Windows write it.

    Raises:
        ProblemError: `invalid_json` - not UTF-8, not JSON, nested deeper than MAX_DEPTH, numbers with thousands of
            digits, a name twice in one object, or text with lone surrogates. `NaN` and `Infinity`, which Python's
            clients write, are accepted as numbers; the fields themselves may refuse them.
    """
    try:
        document: object = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _invalid(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise _invalid(f"nested deeper than {MAX_DEPTH} levels") from error
    except json.JSONDecodeError as error:
        raise _invalid(str(error)) from error
    except ValueError as error:
        raise _invalid("a number has thousands of digits") from error
    _check_values(document)
    return document


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        # Readers differ in which of the two values they use.
        raise _invalid(f"{shortened(ascii(twice))} appears twice in one object")
    return found


def _check_values(document: object) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        following: list[object] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                for key in value:
                    _check_text(key)
                following.extend(value.values())
            elif isinstance(value, list):
                following.extend(value)
        if not following:
            return
        level = following
    raise _invalid(f"nested deeper than {MAX_DEPTH} levels")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _invalid("a string contains half of a surrogate pair") from error


def _invalid(reason: str) -> ProblemError:
    return ProblemError(ProblemCode.INVALID_JSON, shortened(f"The document is not valid JSON: {reason}."))
