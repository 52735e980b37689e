"""The checkpoint that the demo draws with."""

from pathlib import Path

TRAINED = Path(__file__).parent / "weights" / "shapes.safetensors"
