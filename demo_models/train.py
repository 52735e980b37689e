"""`python -m demo_models.train`: trains the demo models from scratch; an interrupted stage can be resumed."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from demo_models.autoencoder import train_autoencoder
from demo_models.captioner import train_captioner
from demo_models.checkpoint import TRAINED
from demo_models.clip import train_clip
from demo_models.denoiser import train_denoiser
from demo_models.export import export_checkpoint, export_judge, write_manifest
from demo_models.interrogation import export_interrogation
from demo_models.judge import JUDGE, train_judge
from demo_models.tagger import train_tagger
from demo_models.text_encoder import train_text_encoder
from demo_models.training import TIMING, Timing
from demo_models.variants.table import VARIANTS, train_variant


def export(out: Path) -> None:
    """Write the weights files to where the demo and the tests find them."""
    export_judge(out, JUDGE)
    export_checkpoint(out, TRAINED)
    for name, variant in VARIANTS.items():
        trained = out / name / variant.file
        if trained.is_file():
            shutil.copyfile(trained, variant.path)
    write_manifest(TRAINED.parent)


STAGES: dict[str, Callable[[Path], None]] = {
    "judge": lambda out: train_judge(out / "judge"),
    "vae": lambda out: train_autoencoder(out / "vae"),
    "text": lambda out: train_text_encoder(out / "text"),
    "unet": lambda out: train_denoiser(out / "unet", vae_folder=out / "vae", text_folder=out / "text"),
    **{name: partial(train_variant, name) for name in VARIANTS},
    "export": export,
    "captioner": lambda out: train_captioner(out / "captioner"),
    "clip": lambda out: train_clip(out / "clip", text_folder=out / "text", captioner_folder=out / "captioner"),
    "tagger": lambda out: train_tagger(out / "tagger"),
    "export_interrogation": export_interrogation,
}
"""Stages in the order in which they build on each other."""
EXPORTS = {"export", "export_interrogation"}


def main() -> None:
    """Run the chosen stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=[*STAGES, "all"], default="all")
    parser.add_argument("--out", type=Path, default=Path("build/demo_models"), help="folder for data and checkpoints")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--timing",
        type=int,
        metavar="STEPS",
        help="run only this many steps, keep nothing, and estimate how long all stages would take",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = {name: train for name, train in STAGES.items() if options.stage in (name, "all")}
    if options.timing:
        time_stages(chosen, options.timing)
        return
    for train in chosen.values():
        train(options.out)


def time_stages(stages: Mapping[str, Callable[[Path], None]], steps: int) -> None:
    """Estimate how long each stage takes on this machine, from some of its steps and all its other work."""
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, train in stages.items():
            if name in EXPORTS:
                continue
            timing = Timing(steps)
            TIMING.set(timing)
            began = time.monotonic()
            train(Path(folder))
            seconds = time.monotonic() - began - timing.spent + timing.wanted
            total += seconds
            rest = seconds - timing.wanted
            sys.stdout.write(f"{name}: {seconds / 60:.1f} min ({', '.join(timing.told)}; the rest {rest:.0f} s)\n")
            sys.stdout.flush()
    sys.stdout.write(f"together {total / 60:.0f} min\n")


if __name__ == "__main__":
    main()
