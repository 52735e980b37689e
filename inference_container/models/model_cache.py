"""Loaded models kept warm: on the device they run on, then waiting in RAM, least recently used first out, by bytes."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch

from generate_on_cloud.contract.messages import CacheUse
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile


class Loaded(Protocol):
    """A model in memory."""

    @property
    def bytes(self) -> int: ...


@runtime_checkable
class Movable(Protocol):
    """A model that can wait in another memory."""

    def move_to(self, device: torch.device) -> None: ...


Model = TypeVar("Model", bound=Loaded)
Place = tuple[str, str]
"""What a file was loaded as, and its SHA-256."""

RAM = torch.device("cpu")


@dataclass
class _Held:
    model: Loaded
    size: int
    waits: bool = False
    """In RAM, not on the device."""


class ModelCache:
    """Holds models by the content of their file, so a renamed file loads nothing. Not for use by two threads.

    `load` reads a checkpoint from disk. Models that the running job uses stay, even where they take more than
    `max_bytes` together: the job needs them. Those that no longer fit wait in RAM, up to `waiting_bytes`, where a
    device has a memory of its own, and are forgotten otherwise.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        load: Callable[[ModelFile], Checkpoint],
        waiting_bytes: int = 0,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._max_bytes, self._waiting_bytes = max_bytes, waiting_bytes
        self._load = load
        self._held: OrderedDict[Place, _Held] = OrderedDict()
        self._in_use: set[Place] = set()
        self.device = device or RAM
        """Where models belong."""
        self.dtype = dtype
        """Their precision, unless they need another."""
        self.use = CacheUse()
        """Since the start."""

    @property
    def bytes(self) -> int:
        """Memory the held models take where they run."""
        return self._bytes(waiting=False)

    @property
    def waiting_bytes(self) -> int:
        """RAM the waiting models take."""
        return self._bytes(waiting=True)

    @property
    def hits(self) -> int:
        return self.use.hits

    @property
    def misses(self) -> int:
        return self.use.misses

    def begin_job(self) -> None:
        """Another job starts: what only the one before needed may leave."""
        self._in_use.clear()

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
            self.use = self.use.plus(hits=1)
            self._held.move_to_end(place)
            self._in_use.add(place)
            self._bring_back(held)
            return cast(Model, held.model)
        self.use = self.use.plus(misses=1)
        began = time.perf_counter()
        # Room is made first, by the file's size, so that the old and the new model never lie in memory together.
        self._make_room(file.path.stat().st_size)
        loaded = load(file)
        self.use = self.use.plus(size=loaded.bytes, seconds=time.perf_counter() - began)
        self._in_use.add(place)
        self._held[place] = _Held(loaded, loaded.bytes)
        self._make_room(0)
        return loaded

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._in_use.clear()

    def _bytes(self, *, waiting: bool) -> int:
        return sum(held.size for held in self._held.values() if held.waits is waiting)

    def _bring_back(self, held: _Held) -> None:
        if held.waits and isinstance(held.model, Movable):
            self._make_room(held.size)
            held.model.move_to(self.device)
            held.waits = False

    def _make_room(self, size: int) -> None:
        """Let models go until `size` bytes more fit where they run."""
        for place, held in list(self._held.items()):
            if self.bytes + size <= self._max_bytes:
                return
            if place in self._in_use or held.waits:
                continue
            if held.size <= self._waiting_bytes and isinstance(held.model, Movable):
                held.model.move_to(RAM)
                held.waits = True
                self._let_wait()
            else:
                del self._held[place]

    def _let_wait(self) -> None:
        for place, held in list(self._held.items()):
            if self.waiting_bytes <= self._waiting_bytes:
                return
            if held.waits:
                del self._held[place]
