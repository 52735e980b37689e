"""Loaded models kept warm in memory: least recently used first out, bounded by bytes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

import torch

from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile


class Loaded(Protocol):
    """A model in memory."""

    @property
    def bytes(self) -> int: ...


Model = TypeVar("Model", bound=Loaded)


class ModelCache:
    """Holds models by the content of their file, so a renamed file loads nothing. Not for use by two threads.

    `load` reads a checkpoint from disk. A model larger than `max_bytes` is still held, alone: its job needs it.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        load: Callable[[ModelFile], Checkpoint],
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._max_bytes = max_bytes
        self._load = load
        self._held: OrderedDict[tuple[str, str], tuple[Loaded, int]] = OrderedDict()
        self.device = device or torch.device("cpu")
        """Where models belong."""
        self.dtype = dtype
        """Their precision, unless they need another."""
        self.hits = 0
        self.misses = 0

    @property
    def bytes(self) -> int:
        """Memory all held models take."""
        return sum(size for _, size in self._held.values())

    def checkpoint(self, file: ModelFile) -> Checkpoint:
        """The loaded checkpoint of `file`, from memory if it is there.

        Raises:
            JobFailed: the file cannot be loaded; the cache keeps what else it can hold.
        """
        checkpoint = self.get(file, self._load, kind="checkpoint")
        checkpoint.file = file
        return checkpoint

    def get(self, file: ModelFile, load: Callable[[ModelFile], Model], *, kind: str) -> Model:
        """What `load` makes of `file`, from memory if it is there; `kind` tells apart what one file is loaded as.

        Raises:
            JobFailed: as `load` does; the cache keeps what else it can hold.
        """
        place = (kind, file.sha256)
        held = self._held.get(place)
        if held is not None:
            self.hits += 1
            self._held.move_to_end(place)
            return cast(Model, held[0])
        self.misses += 1
        # Room is made first, by the file's size, so that the old and the new model never lie in memory together.
        self._shrink_to(self._max_bytes - file.path.stat().st_size)
        loaded = load(file)
        self._held[place] = (loaded, loaded.bytes)
        self._shrink_to(self._max_bytes)
        return loaded

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def _shrink_to(self, room: int) -> None:
        keep_newest = 1 if room == self._max_bytes else 0
        while self.bytes > max(room, 0) and len(self._held) > keep_newest:
            self._held.popitem(last=False)
