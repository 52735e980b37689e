"""`python -m checks.fidelity --goldens FOLDER…`: compares WebUI's answers with ours, one row for each.

The exit code is 0 if exactly the rows on the list of deliberate differences differ.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from checks.fidelity.comparison import Comparison, Verdict
from checks.fidelity.deliberate import deliberate_reason
from checks.fidelity.face import FaceRuns
from checks.fidelity.goldens import Golden, golden_folders, read_goldens
from checks.fidelity.model_shelf import ModelShelf
from checks.fidelity.running import run
from checks.fidelity.table import write_table

HEADINGS = (
    f"{'request':40} {'calls':>7} {'σ':>2} {'latents':>8} {'worst':>5} {'near':>8} {'exact':>8}  verdict\n"
    "(calls of the denoiser, and whether their noise levels are equal; worst difference in levels of 255; "
    "pixels within 2 levels; equal pixels)"
)


@dataclass(frozen=True)
class Row:
    comparison: Comparison
    reason: str | None
    """Why it should differ; None if it should be equal."""

    @property
    def as_expected(self) -> bool:
        return (self.comparison.verdict is Verdict.EQUAL) is (self.reason is None)

    @property
    def line(self) -> str:
        one = self.comparison
        latents = "-" if one.latent_error is None else f"{one.latent_error:.1e}"
        notes = "; ".join(note.replace("\n", "⏎") for note in one.notes)
        if self.reason is not None:
            said = "equal, but on the list of deliberate differences" if not self.as_expected else "on purpose"
            notes = f"{said}: {self.reason}{f' ({notes})' if notes else ''}"
        return (
            f"{one.name:40} {one.calls:>7} {one.sigmas:>2} {latents:>8} {one.worst_levels:5d} "
            f"{one.near:8.2%} {one.exact:8.2%}  {one.verdict} {notes}".rstrip()
        )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.fidelity", description=__doc__)
    parser.add_argument(
        "--goldens", type=Path, nargs="+", required=True, help="folders with requests.jsonl, or with such folders"
    )
    parser.add_argument(
        "--base", type=Path, help="folder with model/ and architecture.json; default: the first of these or next to one"
    )
    parser.add_argument("--only", default="", help="run the requests whose name, set/id, contains this")
    parser.add_argument("--face", choices=["sdapi"], help="send the requests to goc serve on a local cloud instead")
    parser.add_argument("--page", type=Path, help="a Markdown page whose table is rewritten")
    options = parser.parse_args(arguments)
    base = options.base or _base(options.goldens)
    # WebUI ran with one thread; float32 sums depend on it.
    torch.set_num_threads(1)
    print(HEADINGS)
    rows = []
    for row in _rows(options.goldens, base=base, only=options.only, by_face=options.face is not None):
        rows.append(row)
        print(row.line, flush=True)
    print(_summary(rows))
    if options.page is not None:
        write_table([row.comparison for row in rows], on_purpose=_on_purpose(rows), page=options.page)
    return 0 if rows and all(row.as_expected for row in rows) else 1


def _base(folders: Sequence[Path]) -> Path:
    """The folder with the checkpoint that all goldens were made with."""
    candidates = [near for folder in folders for near in (folder, folder.resolve().parent / "goldens")]
    for one in candidates:
        if (one / "architecture.json").exists():
            return one
    names = ", ".join(map(str, candidates))
    raise SystemExit(f"no folder with architecture.json and model/ among: {names}; name it with --base")


def _rows(folders: Sequence[Path], *, base: Path, only: str, by_face: bool) -> Iterator[Row]:
    for folder in folders:
        with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
            shelf = ModelShelf(base=base, models=_models(folder), work=Path(work))
            answer: Callable[[Golden], Comparison] = partial(run, shelf=shelf)
            if by_face:
                answer = stack.enter_context(FaceRuns(shelf, work=Path(work))).run
            for place in golden_folders(folder):
                for golden in read_goldens(place):
                    if only in golden.name:
                        yield Row(answer(golden), deliberate_reason(golden.name))


def _models(folder: Path) -> Path | None:
    """The folder's own `models`, or those next to it if it is one set of several."""
    candidates = (folder / "models", folder.resolve().parent / "models")
    return next((path for path in candidates if path.is_dir()), None)


def _on_purpose(rows: Sequence[Row]) -> set[str]:
    return {row.comparison.name for row in rows if row.reason is not None and row.as_expected}


def _summary(rows: Sequence[Row]) -> str:
    equal = sum(row.comparison.verdict is Verdict.EQUAL for row in rows)
    surprises = [row.comparison.name for row in rows if not row.as_expected]
    return (
        f"\n{equal} of {len(rows)} equal to WebUI 1.10.1, {len(_on_purpose(rows))} different on purpose, "
        f"{len(surprises)} not as expected{': ' if surprises else ''}{', '.join(surprises)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
