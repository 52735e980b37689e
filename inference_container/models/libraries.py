"""Imports diffusers and transformers beside what a container does until its first model file is there.

They take more than twice as long as torch alone, and nothing before `load_checkpoint` needs them.
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
"""Held while model libraries are imported: transformers' modules come in pieces, which two threads would tear."""


def load_later(
    *,
    device: torch.device,
    dtype: torch.dtype,
    imported: Callable[[BaseException | None], None],
    compile_blocks: bool = False,
) -> LoadFile:
    """`load_checkpoint` for this device, whose module is imported on a thread of its own from now on.

    What is returned waits for that, and raises what the import raised. `imported` is called on the thread when the
    import has ended, with its error if it had one.
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
