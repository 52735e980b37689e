"""Downloads and loads a checkpoint before the first job; errors are logged and otherwise ignored."""

import logging
import time
from collections.abc import Callable

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobFailed
from inference_container.asset_cache import AssetCache
from inference_container.models.model_cache import ModelCache

log = logging.getLogger(__name__)


def preload_checkpoint(key: str, *, assets: AssetCache, models: ModelCache, check: Callable[[], None]) -> None:
    """Load the checkpoint at `key` in the assets bucket into memory, as a first job would.

    `check` is called repeatedly and may raise to abort.
    """
    began = time.perf_counter()
    try:
        reference = assets.reference(key, AssetType.CHECKPOINT)
        with assets.borrow([reference], check=check) as (file,):
            models.begin_job()
            models.checkpoint(file)
    except JobFailed as failed:
        log.error("%s was not preloaded: %s: %s", key, failed.error.code.value, failed.error.message)  # noqa: TRY400
    except (MemoryError, OSError, RuntimeError) as error:
        log.exception("%s was not preloaded: %s", key, type(error).__name__)
    else:
        log.info("%s was preloaded in %.1f s", key, time.perf_counter() - began)
