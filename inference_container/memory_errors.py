"""Jobs that run out of memory: recognising the error, freeing memory, and the error that the user sees."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.model_cache import ModelCache


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` means that a GPU or this machine has no memory left."""
    # PyTorch has a class for GPU errors but raises plain RuntimeError for the CPU's allocator and for cuBLAS.
    said = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in said)


def free_memory(models: ModelCache, error: Exception) -> None:
    """Free the memory of `models` and of the frames in the error's traceback."""
    # The traceback's frames would keep tensors alive while the error propagates.
    traceback.clear_frames(error.__traceback__)
    models.clear()
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


@contextmanager
def named_memory_errors(models: ModelCache) -> Iterator[None]:
    """Turn out-of-memory errors in the block into JobFailed (OUT_OF_MEMORY) and free the models' memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        free_memory(models, error)
        raise JobFailed(
            JobErrorCode.OUT_OF_MEMORY,
            f"the job needs more memory than this instance has; smaller pictures or batches may fit ({error})",
        ) from None
