"""Names as people write them: in another case, with a space too many, or nearly right."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 60
"""Maximum characters of a received name that are compared and repeated."""


def same_name(received: str, allowed: Iterable[str]) -> str | None:
    """The one allowed name that `received` is but for upper and lower case and spaces around it; None if there is none.

    An exact name goes before others. If two allowed names differ in case only, there is none either.
    """
    found = list(dict.fromkeys(name for name in allowed if name.casefold() == received.strip().casefold()))
    return received if received in found else found[0] if len(found) == 1 else None


def nearest(received: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'steps'?` with up to three allowed names similar to the received one, or an empty text."""
    by_lower = {name.lower(): name for name in allowed}
    found = get_close_matches(received[:LONGEST].lower(), by_lower, n=3, cutoff=0.75)
    return f"; did you mean {' or '.join(repr(by_lower[name]) for name in found)}?" if found else ""
