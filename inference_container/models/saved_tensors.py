"""Makes tensors from a file that `torch.save` wrote, where its inspection found them: its pickle is not read again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from generate_on_cloud.model_files.pickle_calls import Made, Storage, Tensor


class MappedTensors:
    """The tensors of a file that is mapped into memory: they share its pages until they are changed."""

    def __init__(self, path: Path, places: Mapping[str, int]) -> None:
        """`places`: where in the file each storage starts, by its key."""
        size = path.stat().st_size
        self._bytes = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
        self._places = places
        self._storages: dict[str, torch.Tensor] = {}

    def made(self, described: Tensor) -> torch.Tensor:
        """The tensor that the inspection described."""
        storage = self._storage(described.storage)
        if 0 in described.shape:
            return torch.empty(described.shape, dtype=storage.dtype)
        offset = storage.storage_offset() + described.offset
        return storage.as_strided(described.shape, described.strides, offset)

    def filled(self, document: Any) -> Any:
        """A copy of the document with tensors in place of their descriptions; each shared part is copied once."""
        return self._filled(document, {})

    def _filled(self, value: Any, made: dict[int, Any]) -> Any:
        if not isinstance(value, (dict, list, tuple, Made, Tensor)):
            return value
        if id(value) not in made:
            if isinstance(value, Tensor):
                made[id(value)] = self.made(value)
            elif isinstance(value, Made):
                made[id(value)] = Made(value.by, self._filled(value.state, made))
            elif isinstance(value, dict):
                made[id(value)] = {key: self._filled(one, made) for key, one in value.items()}
            else:
                made[id(value)] = type(value)(self._filled(one, made) for one in value)
        return made[id(value)]

    def _storage(self, described: Storage) -> torch.Tensor:
        if described.key not in self._storages:
            start = self._places[described.key]
            stretch = self._bytes[start : start + described.bytes]
            if start % described.item_bytes:  # tensors must lie at multiples of their elements' size
                stretch = stretch.clone()
            self._storages[described.key] = stretch.view(getattr(torch, described.dtype))
        return self._storages[described.key]
