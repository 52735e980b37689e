"""The values of an axis of X/Y/Z plot as text: a list with commas, with ranges of numbers (WebUI's rules)."""

import csv
import math
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from generate_on_cloud.contract.limits import MAX_PICTURES

Values = list[Any]
_NUMBER = r"[+-]?\s*\d+(?:\.\d*)?"
_STEPPED = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})(?:\s*\(([+-]\d+(?:\.\d*)?)\s*\))?\s*")
"""`1-9`, `1-9 (+2)`, `9-1 (-2)`"""
_COUNTED = re.compile(rf"\s*({_NUMBER})\s*-\s*({_NUMBER})\s*\[(\d+)\s*]\s*")
"""`1-9 [5]`: five values."""


def split_values(text: str) -> list[str]:
    """The parts of a line of CSV, without spaces around them; a quotation mark may follow a space."""
    return [part.strip() for row in csv.reader(StringIO(text), skipinitialspace=True) for part in row]


def join_values(values: Sequence[str]) -> str:
    """A line of CSV."""
    with StringIO() as file:
        csv.writer(file).writerow(values)
        return file.getvalue().strip()


def int_values(texts: Sequence[str]) -> Values:
    """Whole numbers and ranges of them; blank texts count for nothing.

    Raises:
        ValueError: something else, or too many; the text says what was received and what is allowed.
    """
    found: Values = []
    for text in filter(str.strip, texts):
        if stepped := _whole(_STEPPED, text):
            found += _checked(range(stepped[0], stepped[1] + 1, stepped[2] if stepped[2] is not None else 1))
        elif counted := _whole(_COUNTED, text):
            found += [int(value) for value in _spread(counted[0], counted[1], counted[2] or 0)]
        else:
            found.append(_read(text, int, "whole numbers"))
    return found


def number_values(texts: Sequence[str]) -> Values:
    """Numbers and ranges of them; raises like `int_values`."""
    found: Values = []
    for text in filter(str.strip, texts):
        if match := _STEPPED.fullmatch(text):
            start, end, step = (_number(group) for group in match.groups())
            step = 1.0 if step is None else step
            if not step or start is None or end is None:
                raise ValueError(f"received {text!r}; allowed: a step other than 0")
            count = max(0, math.ceil((end + step - start) / step))
            found += [start + number * step for number in _checked(range(count))]
        elif match := _COUNTED.fullmatch(text):
            start, end, _ = (_number(group) for group in match.groups())
            found += _spread(start or 0.0, end or 0.0, int(match.group(3)))
        else:
            found.append(_read(text, float, "numbers"))
    return found


def _whole(pattern: re.Pattern[str], text: str) -> tuple[int, int, int | None] | None:
    match = pattern.fullmatch(text)
    if match is None or any("." in (group or "") for group in match.groups()):
        return None
    start, end, step = (None if group is None else int(group.replace(" ", "")) for group in match.groups())
    if start is None or end is None or (pattern is _STEPPED and step == 0):
        raise ValueError(f"received {text!r}; allowed: a step other than 0")
    return start, end, step


def _number(text: str | None) -> float | None:
    return None if text is None else float(text.replace(" ", ""))


def _spread(start: float, end: float, count: int) -> list[float]:
    """`count` values at equal distances, both ends included."""
    step = (end - start) / max(count - 1, 1)
    values = [start + number * step for number in _checked(range(count))]
    return [*values[:-1], float(end)] if count > 1 else values


def _checked(numbers: range) -> range:
    if len(numbers) > MAX_PICTURES:
        raise ValueError(f"received a range of {len(numbers)} values; allowed: up to {MAX_PICTURES}")
    return numbers


def _read(text: str, kind: type, allowed: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"received {text[:60]!r}; allowed: {allowed} and ranges such as 1-9 (+2) or 1-9 [5]") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"received {text[:60]!r}; allowed: finite numbers")
    return value
