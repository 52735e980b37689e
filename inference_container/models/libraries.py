"""Imports diffusers and transformers in the background while a container downloads its first model file.

Their import takes more than twice as long as torch's, and nothing before `load_checkpoint` needs them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

import torch

from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile

LoadFile = Callable[[ModelFile], Checkpoint]

IMPORTING = Lock()
"""Held while model libraries are imported: transformers loads its modules lazily, which is not thread-safe."""


def load_later(
    *,
    device: torch.device,
    dtype: torch.dtype,
    imported: Callable[[BaseException | None], None],
    compile_blocks: bool = False,
) -> LoadFile:
    """Return `load_checkpoint` for this device and start importing its module on a separate thread.

    The returned function waits for the import and raises its error if it failed. `imported` is called on the thread
    when the import has finished, with the error if there was one.
    """

    def import_loader() -> LoadFile:
        with IMPORTING:
            from inference_container.models.loader import load_checkpoint

        return partial(load_checkpoint, device=device, dtype=dtype, compile_blocks=compile_blocks)

    def load(file: ModelFile) -> Checkpoint:
        return loader.result()(file)

    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="libraries")
    loader = thread.submit(import_loader)
    thread.shutdown(wait=False)
    loader.add_done_callback(lambda ended: imported(ended.exception()))
    return load
