"""Short refusals of unknown names: they suggest the nearest allowed names instead of listing all."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 60
"""Maximum characters of a received name that are compared and repeated."""


def nearest(received: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'steps'?` with up to three allowed names similar to the received one, or an empty text."""
    by_lower = {name.lower(): name for name in allowed}
    found = get_close_matches(received[:LONGEST].lower(), by_lower, n=3, cutoff=0.75)
    return f"; did you mean {' or '.join(repr(by_lower[name]) for name in found)}?" if found else ""
