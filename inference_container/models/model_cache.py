"""Loaded checkpoints kept warm in memory: least recently used first out, bounded by bytes."""

from collections import OrderedDict
from collections.abc import Callable

from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile


class ModelCache:
    """Holds checkpoints by the content of their file, so a renamed file loads nothing. Not for use by two threads.

    `load` reads one from disk. A checkpoint larger than `max_bytes` is still held, alone: its job needs it.
    """

    def __init__(self, *, max_bytes: int, load: Callable[[ModelFile], Checkpoint]) -> None:
        self._max_bytes = max_bytes
        self._load = load
        self._held: OrderedDict[str, tuple[Checkpoint, int]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    @property
    def bytes(self) -> int:
        """Memory all held models take."""
        return sum(size for _, size in self._held.values())

    def checkpoint(self, file: ModelFile) -> Checkpoint:
        """The loaded model of `file`, from memory if it is there.

        Raises:
            JobFailed: the file cannot be loaded; the cache keeps what else it can hold.
        """
        held = self._held.get(file.sha256)
        if held is not None:
            self.hits += 1
            self._held.move_to_end(file.sha256)
            held[0].file = file
            return held[0]
        self.misses += 1
        # Room is made first, by the file's size, so that the old and the new model never lie in memory together.
        self._shrink_to(self._max_bytes - file.path.stat().st_size)
        loaded = self._load(file)
        self._held[file.sha256] = (loaded, loaded.bytes)
        self._shrink_to(self._max_bytes)
        return loaded

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def _shrink_to(self, room: int) -> None:
        keep_newest = 1 if room == self._max_bytes else 0
        while self.bytes > max(room, 0) and len(self._held) > keep_newest:
            self._held.popitem(last=False)
