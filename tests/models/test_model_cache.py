"""Warm models are found again by their content, and the oldest leave first."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inference_container.contract.errors import JobErrorCode, JobFailed
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from tests.models.conftest import model_file
from tests.tiny_checkpoint import write_tiny_checkpoint

ROOM_FOR_TWO = 9_000_000


def load(file: ModelFile) -> Checkpoint:
    return load_checkpoint(file, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[ModelFile]:
    folder = tmp_path_factory.mktemp("several")
    return [model_file(write_tiny_checkpoint(folder / f"{seed}.safetensors", seed=seed)) for seed in range(3)]


def test_a_second_job_loads_nothing_even_under_another_name(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=ROOM_FOR_TWO, load=load)
    first = cache.checkpoint(files[0])

    second = cache.checkpoint(replace(files[0], name="renamed.safetensors"))

    assert second.unet is first.unet
    assert second.file.name == "renamed.safetensors"
    assert (cache.hits, cache.misses) == (1, 1)


def test_the_least_recently_used_leaves_when_room_is_needed(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=ROOM_FOR_TWO, load=load)
    for file in (files[0], files[1], files[0], files[2]):
        cache.checkpoint(file)

    cache.checkpoint(files[0])
    assert (cache.hits, cache.misses) == (2, 3)
    cache.checkpoint(files[1])
    assert (cache.hits, cache.misses) == (2, 4)
    assert cache.bytes <= ROOM_FOR_TWO


def test_a_model_larger_than_the_cache_is_held_alone(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=1, load=load)
    cache.checkpoint(files[0])

    kept = cache.checkpoint(files[1])

    assert cache.bytes == kept.bytes
    assert cache.checkpoint(files[1]) is kept


def test_a_file_that_cannot_be_loaded_leaves_the_cache_as_it_was(files: list[ModelFile], tmp_path: Path) -> None:
    cache = ModelCache(max_bytes=ROOM_FOR_TWO, load=load)
    kept = cache.checkpoint(files[0])
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")

    with pytest.raises(JobFailed) as failed:
        cache.checkpoint(model_file(tmp_path / "bad.safetensors"))

    assert failed.value.error.code is JobErrorCode.ASSET_CORRUPT
    assert cache.checkpoint(files[0]) is kept


def test_clearing_forgets_everything(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=ROOM_FOR_TWO, load=load)
    cache.checkpoint(files[0])

    cache.clear()

    assert cache.bytes == 0
