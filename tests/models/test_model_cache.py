"""Warm models are found again by their content, and the oldest leave first."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import CacheUse
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
        cache.begin_job()
        cache.checkpoint(file)

    cache.begin_job()
    cache.checkpoint(files[0])
    assert (cache.hits, cache.misses) == (2, 3)
    cache.begin_job()
    cache.checkpoint(files[1])
    assert (cache.hits, cache.misses) == (2, 4)
    assert cache.bytes <= ROOM_FOR_TWO


def test_a_model_larger_than_the_cache_is_held_alone(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=1, load=load)
    cache.checkpoint(files[0])

    cache.begin_job()
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


def test_what_a_job_uses_stays_until_the_next_job(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=1, load=load)
    base, refiner = cache.checkpoint(files[0]), cache.checkpoint(files[1])

    assert (cache.checkpoint(files[0]), cache.checkpoint(files[1])) == (base, refiner)
    cache.begin_job()
    cache.checkpoint(files[2])

    assert cache.bytes == base.bytes


def test_use_tells_hits_misses_and_what_was_loaded(files: list[ModelFile]) -> None:
    cache = ModelCache(max_bytes=ROOM_FOR_TWO, load=load)
    loaded = cache.checkpoint(files[0])
    before = cache.use

    cache.checkpoint(files[0])

    assert (before.hits, before.misses, before.bytes) == (0, 1, loaded.bytes)
    assert before.seconds > 0
    assert cache.use.since(before) == CacheUse(hits=1)


@dataclass
class Traveller:
    """A model of a hundred bytes that notes where it was put."""

    been: list[str]
    bytes: int = 100

    def move_to(self, device: torch.device) -> None:
        self.been.append(device.type)


class Rooted:
    """A model that cannot be moved."""

    bytes = 100


class OnDevice:
    """A cache whose device has a memory of its own; `meta` stands for a GPU, since nothing is computed."""

    def __init__(self, folder: Path, *, waiting_bytes: int) -> None:
        for number in range(3):
            (folder / f"{number}.pt").write_bytes(bytes([number]) * 100)
        self.files = [model_file(folder / f"{number}.pt") for number in range(3)]
        self.cache = ModelCache(max_bytes=150, waiting_bytes=waiting_bytes, load=load, device=torch.device("meta"))
        self.loads = 0

    def job(self, number: int, model: Traveller | Rooted) -> object:
        def load_once(_: ModelFile) -> Traveller | Rooted:
            self.loads += 1
            return model

        self.cache.begin_job()
        return self.cache.get(self.files[number], load_once, kind="vae")


def test_what_no_longer_fits_on_the_device_waits_in_ram_and_comes_back(tmp_path: Path) -> None:
    studio = OnDevice(tmp_path, waiting_bytes=250)
    first, second = Traveller([]), Traveller([])

    studio.job(0, first)
    studio.job(1, second)

    assert (studio.cache.bytes, studio.cache.waiting_bytes) == (100, 100)
    assert (first.been, second.been) == (["cpu"], [])
    assert studio.job(0, first) is first
    assert (first.been, second.been, studio.loads) == (["cpu", "meta"], ["cpu"], 2)


def test_the_longest_waiting_are_forgotten_when_ram_is_full(tmp_path: Path) -> None:
    studio = OnDevice(tmp_path, waiting_bytes=100)
    for number in range(3):
        studio.job(number, Traveller([]))

    studio.job(1, Traveller([]))
    assert studio.loads == 3
    studio.job(0, Traveller([]))
    assert studio.loads == 4


def test_what_cannot_be_moved_is_forgotten(tmp_path: Path) -> None:
    studio = OnDevice(tmp_path, waiting_bytes=250)
    studio.job(0, Rooted())

    studio.job(1, Rooted())

    assert (studio.cache.bytes, studio.cache.waiting_bytes) == (100, 0)


def test_a_checkpoint_moves_whole(files: list[ModelFile]) -> None:
    checkpoint = load(files[0])

    checkpoint.move_to(torch.device("meta"))

    assert checkpoint.device.type == "meta"
    modules = (checkpoint.unet, checkpoint.vae, checkpoint.text_encoder)
    assert {tensor.device.type for module in modules for tensor in module.parameters()} == {"meta"}
