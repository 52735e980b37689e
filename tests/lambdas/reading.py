"""How much of the project one has to read to follow a request: the own files it runs, and those on its deepest stack.

`python -m tests.lambdas.reading` prints every way with its files.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
OWN = tuple(f"{ROOT / folder}/" for folder in ("lambdas", "generate_on_cloud"))


@dataclass
class Reading:
    """What ran of the product; functions only, not the bodies of modules and classes that are being imported."""

    files: set[str] = field(default_factory=set)
    deepest: tuple[str, ...] = ()
    """Of all stacks the one with the most different files of ours; each file once, the outermost first."""

    @property
    def depth(self) -> int:
        return len(self.deepest)

    def __str__(self) -> str:
        return f"{len(self.files)} files, {self.depth} on the deepest stack\n  " + "\n  ".join(
            [f"deepest: {' > '.join(self.deepest)}", *sorted(self.files)]
        )


@contextmanager
def recorded() -> Iterator[Reading]:
    """What runs of the product in this thread meanwhile."""
    reading = Reading()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(OWN) or _is_a_body(frame):
            return
        reading.files.add(_name(frame))
        stack: dict[str, None] = {}
        above: FrameType | None = frame
        while above is not None:
            if above.f_code.co_filename.startswith(OWN):
                stack[_name(above)] = None
            above = above.f_back
        if len(stack) > reading.depth:
            reading.deepest = tuple(reversed(stack))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield reading
    finally:
        sys.setprofile(before)


def _name(frame: FrameType) -> str:
    return Path(frame.f_code.co_filename).relative_to(ROOT).as_posix()


def _is_a_body(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>" or "__qualname__" in frame.f_locals
