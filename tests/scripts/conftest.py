"""The tiny checkpoint that scripts draw with."""

from tests.tasks.conftest import checkpoint

__all__ = ["checkpoint"]
