"""The tiny checkpoints that scripts draw with."""

from tests.tasks.conftest import checkpoint, inpainting

__all__ = ["checkpoint", "inpainting"]
