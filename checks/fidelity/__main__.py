"""`python -m checks.fidelity --goldens FOLDER`: WebUI's answers beside ours, a row each; exit code 1 if any differs."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from checks.fidelity.comparison import Comparison, compare, failed
from checks.fidelity.goldens import Golden, read_goldens, repack_model
from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobFailed
from generate_on_cloud.contract.options import OptionRefusedError
from generate_on_cloud.contract.samplers import SAMPLERS
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.loader import load_checkpoint
from inference_container.task import TaskInput
from inference_container.tasks import TASKS

HEADINGS = f"{'request':28} {'calls':>12} {'σ':>3} {'latents':>9} {'levels':>6} {'equal':>8} info"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.fidelity", description=__doc__)
    parser.add_argument("--goldens", type=Path, required=True, help="folder with requests.jsonl, png/, info/, …")
    parser.add_argument("--only", default="", help="run the requests whose id contains this")
    options = parser.parse_args(arguments)
    # WebUI ran with one thread; float32 sums depend on it.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = repack_model(options.goldens, to=Path(folder))
        checkpoint = load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)
    print(HEADINGS)
    rows = []
    for golden in read_goldens(options.goldens):
        if options.only in golden.id:
            rows.append(run(golden, checkpoint))
            print(_line(rows[-1]), flush=True)
    passed = sum(row.passed for row in rows)
    print(f"\n{passed} of {len(rows)} equal to WebUI 1.10.1")
    return 0 if rows and passed == len(rows) else 1


def run(golden: Golden, checkpoint: Checkpoint) -> Comparison:
    """The request through the container's own task."""
    with Recording(checkpoint) as recording:
        try:
            output = TASKS[golden.task](TaskInput(golden.params, checkpoint, report=lambda _: None))
        except (
            JobFailed,
            OptionRefusedError,
            ArithmeticError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            return failed(golden, f"{type(error).__name__}: {error}")
    timestep_sampler = SAMPLERS[golden.params.sampler_choice().sampler].timestep
    return compare(golden, output, recording, timestep_sampler=timestep_sampler)


def _line(row: Comparison) -> str:
    info = row.error or "; ".join(row.info_differences) or "equal"
    return (
        f"{row.id:28} {row.calls:>12} {'=' if row.levels_equal else '≠':>3} {row.latent_error:9.1e} "
        f"{row.max_levels:6d} {row.equal_pixels:8.2%} {'ok ' if row.passed else 'DIFFERS '}{info}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
