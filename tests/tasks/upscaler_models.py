"""A tiny upscaler and the models' cache of the tests that enlarge pictures."""

import hashlib
from functools import cache
from pathlib import Path

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.task import load_nothing
from tests.tiny_upscaler import write_tiny_upscaler


def upscaler_files(folder: Path) -> JobFiles:
    """An upscaler that makes every pixel four times as large, known by WebUI's name for it, too."""
    path = write_tiny_upscaler(folder / "RealESRGAN_x4plus.pth")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return JobFiles([ModelFile(AssetType.UPSCALER, path.name, path, sha256, ("R-ESRGAN 4x+",))])


@cache
def models() -> ModelCache:
    """One for all tests: what they look at does not depend on what is loaded already."""
    return ModelCache(max_bytes=2**30, load=load_nothing)
