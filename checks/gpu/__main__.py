"""`make gpu-check`: what only a GPU can show, in ten minutes at most, without a network.

Model files of full size are made from seeds in a temporary folder (11 GB of disk). Exit code 1 if a check fails. With
`--tiny`, tiny models take their place, and it runs on a CPU in seconds.
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from checks.gpu.bench import Bench
from checks.gpu.compiling import check_compiling
from checks.gpu.numbers import check_nan, check_noise
from checks.gpu.precision import check_precision
from checks.gpu.report import Row, Verdict, judged, line_of, skipped, write_json
from checks.gpu.speed import check_loading, check_speed

CHECKS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "noise": check_noise,
    "NaN": check_nan,
    "loading": check_loading,
    "speed": check_speed,
    "compile": check_compiling,
    "precision": check_precision,
}
"""The most telling first, in case the minutes run out."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="tiny models, also on a CPU")
    parser.add_argument("--only", choices=[*CHECKS], action="append", help="run only this check; may be repeated")
    parser.add_argument("--minutes", type=float, default=9.0, help="no check begins afterwards (default 9)")
    parser.add_argument("--json", type=Path, default=Path("build/gpu-check.json"), help="file for all figures")
    chosen = parser.parse_args(arguments)
    if not chosen.tiny and not torch.cuda.is_available():
        parser.error("this machine has no NVIDIA GPU that torch can use; allowed without one: --tiny")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    machine = _machine(device)
    print(", ".join(machine.values()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(device, Path(folder), tiny=chosen.tiny, ends_at=time.monotonic() + 60 * chosen.minutes)
        rows = []
        for row in run_checks(bench, chosen.only or [*CHECKS]):
            rows.append(row)
            print(line_of(row), flush=True)
    write_json(chosen.json, machine, rows)
    failed = sum(row.verdict is Verdict.FAILED for row in rows)
    print(f"{len(rows)} rows, {failed} failed; {chosen.json}")
    return 1 if failed else 0


def run_checks(bench: Bench, names: list[str]) -> Iterator[Row]:
    """Run these checks. One that crashes is a failed row; one that no time is left for is skipped."""
    for name in names:
        rows = CHECKS[name](bench)
        while True:
            if time.monotonic() > bench.ends_at:
                yield skipped(name, "the rest", "no time was left")
                break
            try:
                row = next(rows, None)
            except Exception as error:  # noqa: BLE001 - the other checks must run whatever this one meets
                yield judged(name, "the check itself", good=False, text=f"{type(error).__name__}: {error}"[:300])
                break
            if row is None:
                break
            yield row


def _machine(device: torch.device) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU {platform.machine()}"
    return {"device": name, "torch": f"torch {torch.__version__}", "cuda": f"CUDA {torch.version.cuda}"}


if __name__ == "__main__":
    sys.exit(main())
