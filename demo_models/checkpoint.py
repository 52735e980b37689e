"""Which checkpoint the demo draws with."""

from pathlib import Path

TRAINED = Path(__file__).parent / "weights" / "shapes.safetensors"


def demo_checkpoint(folder: Path) -> Path:
    """The trained checkpoint of the repository; while there is none, a tiny random one is made in `folder`."""
    if TRAINED.is_file():
        return TRAINED
    # Loads torch, which the demo needs for nothing else.
    from tests.tiny_checkpoint import write_tiny_checkpoint

    path = folder / "tiny-random.safetensors"
    return path if path.is_file() else write_tiny_checkpoint(path)
