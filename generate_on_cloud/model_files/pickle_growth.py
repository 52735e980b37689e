"""How large and deep the document of a pickle is once every shared part is counted as often as it is used."""

from typing import Any

from generate_on_cloud.model_files.pickle_calls import Made
from generate_on_cloud.model_files.refusals import BrokenFileError

MAX_DEPTH = 50
MAX_ITEMS = 5_000_000
"""Items and characters of the whole document; sixty pairs, each of the pair before twice, would have 2⁶⁰."""
_COLLECTIONS = (dict, list, tuple, Made)


def check_growth(document: Any) -> None:
    """Check that a document can be walked through, compared and printed in bounded time.

    Raises:
        BrokenFileError: it is nested too deep, holds itself, or is too large.
    """
    known: dict[int, tuple[int, int]] = {}
    """Depth and items of each collection by its identity; those being looked through have none yet."""
    begun: set[int] = set()
    waiting = [document] if isinstance(document, _COLLECTIONS) else []
    while waiting:
        value = waiting[-1]
        identity = id(value)
        if identity not in begun:
            begun.add(identity)
            waiting += [one for one in _inside(value) if isinstance(one, _COLLECTIONS) and id(one) not in known]
            continue
        waiting.pop()
        if identity not in known:
            known[identity] = _measured(value, known)


def _measured(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    depth, items = 1, 1
    for one in _inside(value):
        if isinstance(one, _COLLECTIONS):
            if id(one) not in known:
                raise BrokenFileError("its pickle holds a collection that holds itself")
            depth = max(depth, known[id(one)][0] + 1)
            items += known[id(one)][1]
        else:
            items += 1 + len(one) if isinstance(one, str) else 1
    if depth > MAX_DEPTH:
        raise BrokenFileError(f"its pickle is nested more than {MAX_DEPTH} deep")
    if items > MAX_ITEMS:
        raise BrokenFileError(f"its pickle grows to more than {MAX_ITEMS} items")
    return depth, items


def _inside(value: Any) -> Any:
    if isinstance(value, Made):
        return value.state.values()
    return value.values() if isinstance(value, dict) else value
