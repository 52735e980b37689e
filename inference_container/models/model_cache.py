"""Cache of loaded models: on the device, then waiting in RAM; evicts the least recently used by size in bytes."""

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
    """A model that can be moved to another device, such as to RAM while it waits."""

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
    """Whether it is in RAM and not on the device."""


class ModelCache:
    """Holds models by the hash of their file, so that a renamed file is not loaded again. Not thread-safe.

    `load` reads a checkpoint from disk. Models of the running job are never evicted, even if together they take more
    than `max_bytes`. Evicted models wait in RAM, up to `waiting_bytes`, if the device has separate memory; otherwise
    they are dropped.
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
        """The device that models run on."""
        self.dtype = dtype
        """The precision of models that do not require another one."""
        self.use = CacheUse()
        """Use of the cache since the start."""

    @property
    def bytes(self) -> int:
        """Memory that the models take on the device."""
        return self._bytes(waiting=False)

    @property
    def waiting_bytes(self) -> int:
        """RAM that the waiting models take."""
        return self._bytes(waiting=True)

    @property
    def hits(self) -> int:
        return self.use.hits

    @property
    def misses(self) -> int:
        return self.use.misses

    def begin_job(self) -> None:
        """Start a new job: models that only the previous job needed may be evicted."""
        self._in_use.clear()

    def checkpoint(self, file: ModelFile) -> Checkpoint:
        """The loaded checkpoint of `file`, from memory if possible.

        Raises:
            JobFailed: the file cannot be loaded; other models stay in the cache as far as they fit.
        """
        checkpoint = self.get(file, self._load, kind="checkpoint")
        checkpoint.file = file
        return checkpoint

    def get(self, file: ModelFile, load: Callable[[ModelFile], Model], *, kind: str) -> Model:
        """The result of `load(file)`, from memory if possible; `kind` distinguishes different loads of one file.

        Raises:
            JobFailed: raised by `load`; other models stay in the cache as far as they fit.
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
        # Evict first, by the file's size, so that the old and the new model are never in memory together.
        self._make_room(file.path.stat().st_size)
        loaded = load(file)
        self.use = self.use.plus(size=loaded.bytes, seconds=time.perf_counter() - began)
        self._in_use.add(place)
        self._held[place] = _Held(loaded, loaded.bytes)
        self._make_room(0)
        return loaded

    def clear(self) -> None:
        """Drop all models."""
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
        """Evict models until `size` more bytes fit on the device."""
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
