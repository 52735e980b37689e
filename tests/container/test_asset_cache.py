"""The disk cache: fetched once, checked, evicted by age and never from under a job."""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from generate_on_cloud.contract.assets import PredictionType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import AssetRef
from inference_container.asset_cache import AssetCache
from tests.container.conftest import ASSETS_BUCKET, Cloud

Gate = Callable[[], None]


def nothing() -> None:
    """A check that always lets the work go on."""


def cache_in(cloud: Cloud, directory: Path, *, max_bytes: int = 10_000_000) -> AssetCache:
    return AssetCache(cloud.s3, bucket=ASSETS_BUCKET, directory=directory, max_bytes=max_bytes)


def failure(cache: AssetCache, *refs: AssetRef, check: Gate = nothing) -> JobFailed:
    with pytest.raises(JobFailed) as caught, cache.borrow(refs, check=check):
        pass
    return caught.value


def fetch(cache: AssetCache, *refs: AssetRef) -> list[bytes]:
    with cache.borrow(refs, check=nothing) as files:
        return [file.path.read_bytes() for file in files]


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_fetched_with_its_hash_and_name(cloud: Cloud, tmp_path: Path) -> None:
    data = os.urandom(1000)
    ref = cloud.put_asset(data, name="my model.v2.safetensors", declared=False)

    with cache_in(cloud, tmp_path).borrow([ref], check=nothing) as (file,):
        assert file.path.read_bytes() == data

    assert (file.name, file.sha256) == ("my model.v2.safetensors", hashlib.sha256(data).hexdigest())
    assert (file.path.suffix, file.stem) == (".safetensors", "my model.v2")


def test_what_its_owner_says_that_it_predicts_comes_with_it(cloud: Cloud, tmp_path: Path) -> None:
    ref = cloud.put_asset(b"model")
    told = ref.model_copy(update={"prediction_type": PredictionType.V_PREDICTION})

    with cache_in(cloud, tmp_path).borrow([ref, told], check=nothing) as files:
        assert [file.prediction_type for file in files] == [None, PredictionType.V_PREDICTION]


def test_a_file_of_many_parts_arrives_in_order(cloud: Cloud, tmp_path: Path) -> None:
    data = os.urandom(20_000_000)

    assert fetch(cache_in(cloud, tmp_path, max_bytes=50_000_000), cloud.put_asset(data)) == [data]


def test_the_second_time_nothing_is_fetched_even_by_a_new_process(cloud: Cloud, tmp_path: Path) -> None:
    ref = cloud.put_asset(b"weights")
    fetch(cache_in(cloud, tmp_path), ref)
    cloud.s3.delete_object(Bucket=ASSETS_BUCKET, Key=ref.key)

    assert fetch(cache_in(cloud, tmp_path), ref) == [b"weights"]


def test_two_assets_of_one_name_are_two_files(cloud: Cloud, tmp_path: Path) -> None:
    old, new = cloud.put_asset(b"old", asset_id="a1"), cloud.put_asset(b"new", asset_id="a2")

    assert fetch(cache_in(cloud, tmp_path), old, new) == [b"old", b"new"]


def test_a_name_never_leads_out_of_the_directory(cloud: Cloud, tmp_path: Path) -> None:
    ref = cloud.put_asset(b"weights").model_copy(update={"name": "../../etc/x.safetensors/.."})

    fetch(cache_in(cloud, tmp_path / "cache"), ref)

    assert left_in(tmp_path) == ["cache"]
    assert len(left_in(tmp_path / "cache")) == 1


def test_a_missing_object_is_named_and_leaves_nothing(cloud: Cloud, tmp_path: Path) -> None:
    ref = cloud.put_asset(b"weights", name="gone.safetensors")
    cloud.s3.delete_object(Bucket=ASSETS_BUCKET, Key=ref.key)

    failed = failure(cache_in(cloud, tmp_path), ref)

    assert failed.error.code is JobErrorCode.ASSET_MISSING
    assert "gone.safetensors" in failed.error.message
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, "instead of the declared 000"),
        ({"size": 6, "sha256": None}, "more than the 6 bytes"),
        ({"size": 8, "sha256": None}, "has 7 bytes instead of the declared 8"),
    ],
)
def test_other_bytes_than_declared_are_refused_and_removed(
    cloud: Cloud, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    ref = cloud.put_asset(b"weights").model_copy(update=changes)

    failed = failure(cache_in(cloud, tmp_path), ref)

    assert failed.error.code is JobErrorCode.ASSET_CORRUPT
    assert words in failed.error.message
    assert left_in(tmp_path) == []


def test_a_cached_file_that_is_not_what_is_declared_now_is_fetched_again(cloud: Cloud, tmp_path: Path) -> None:
    cache = cache_in(cloud, tmp_path)
    fetch(cache, cloud.put_asset(b"before!"))

    assert fetch(cache, cloud.put_asset(b"changed")) == [b"changed"]


def test_a_cached_file_that_was_cut_short_is_fetched_again(cloud: Cloud, tmp_path: Path) -> None:
    cache, ref = cache_in(cloud, tmp_path), cloud.put_asset(b"weights")
    with cache.borrow([ref], check=nothing) as (file,):
        pass
    os.truncate(file.path, 3)

    assert fetch(cache, ref) == [b"weights"]


def test_the_longest_unused_file_goes_first(cloud: Cloud, tmp_path: Path) -> None:
    cache = cache_in(cloud, tmp_path, max_bytes=30)
    refs = [cloud.put_asset(b"%010d" % number, asset_id=f"a{number}") for number in range(4)]
    for age, ref in enumerate(refs[:3]):
        with cache.borrow([ref], check=nothing) as (file,):
            os.utime(file.path, (1000 + age, 1000 + age))
    fetch(cache, refs[0])

    fetch(cache, refs[3])

    cloud.s3.delete_object(Bucket=ASSETS_BUCKET, Key=refs[1].key)
    assert fetch(cache, refs[0], refs[2], refs[3]) == [b"0000000000", b"0000000002", b"0000000003"]
    assert failure(cache, refs[1]).error.code is JobErrorCode.ASSET_MISSING


def test_files_of_the_running_job_are_never_evicted(cloud: Cloud, tmp_path: Path) -> None:
    cache = cache_in(cloud, tmp_path, max_bytes=15)
    first, second = cloud.put_asset(b"a" * 10, asset_id="a1"), cloud.put_asset(b"b" * 10, asset_id="a2")

    with cache.borrow([first], check=nothing) as (file,):
        failed = failure(cache, second)
        assert file.path.read_bytes() == b"a" * 10

    assert failed.error.code is JobErrorCode.OUT_OF_DISK
    assert fetch(cache, second) == [b"b" * 10]


def test_a_job_larger_than_the_whole_cache_is_refused_before_anything_is_fetched(cloud: Cloud, tmp_path: Path) -> None:
    refs = [cloud.put_asset(b"a" * 10, asset_id=f"a{number}", name=f"{number}.safetensors") for number in range(2)]

    failed = failure(cache_in(cloud, tmp_path, max_bytes=19), *refs)

    assert failed.error.code is JobErrorCode.OUT_OF_DISK
    assert "0.safetensors, 1.safetensors need 20 bytes together" in failed.error.message
    assert left_in(tmp_path) == []


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(cloud: Cloud, tmp_path: Path) -> None:
    size = shutil.disk_usage(tmp_path).total * 2
    ref = cloud.put_asset(b"weights").model_copy(update={"size": size})

    failed = failure(cache_in(cloud, tmp_path, max_bytes=size), ref)

    assert failed.error.code is JobErrorCode.OUT_OF_DISK
    assert "model.safetensors needs" in failed.error.message


def test_a_disk_that_fills_up_meanwhile_is_named_and_nothing_stays(cloud: Cloud, tmp_path: Path) -> None:
    def fill_up() -> None:
        if list(tmp_path.glob("*.part")):
            raise OSError(errno.ENOSPC, "No space left on device")

    failed = failure(cache_in(cloud, tmp_path), cloud.put_asset(b"weights"), check=fill_up)

    assert failed.error.code is JobErrorCode.OUT_OF_DISK
    assert left_in(tmp_path) == []


def test_cancelling_breaks_off_a_download(cloud: Cloud, tmp_path: Path) -> None:
    def cancel() -> None:
        if list(tmp_path.glob("*.part")):
            raise JobFailed(JobErrorCode.CANCELED, "the job was canceled")

    failed = failure(cache_in(cloud, tmp_path), cloud.put_asset(b"x" * 9_000_000), check=cancel)

    assert failed.error.code is JobErrorCode.CANCELED
    assert left_in(tmp_path) == []


def test_what_a_killed_download_left_is_swept_but_not_what_a_living_one_writes(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "dead.part").write_bytes(b"half")
    (tmp_path / "alive.part").write_bytes(b"half")
    with (tmp_path / "alive.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        cache_in(cloud, tmp_path)

        assert left_in(tmp_path) == ["alive.lock", "alive.part"]


def test_two_caches_that_want_one_file_at_once_fetch_it_once(cloud: Cloud, tmp_path: Path) -> None:
    ref = cloud.put_asset(os.urandom(5_000_000))
    results: list[tuple[Path, int]] = []

    def fetch_here() -> None:
        with cache_in(cloud, tmp_path).borrow([ref], check=nothing) as (file,):
            results.append((file.path, file.path.stat().st_ino))

    threads = [threading.Thread(target=fetch_here) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(results) == 4
    assert len(set(results)) == 1
    assert left_in(tmp_path) == [results[0][0].name]


HOLDER = """
import fcntl, sys
with open(sys.argv[1], "rb") as file:
    fcntl.flock(file, fcntl.LOCK_SH)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_another_process_uses_is_not_evicted(cloud: Cloud, tmp_path: Path) -> None:
    cache = cache_in(cloud, tmp_path, max_bytes=15)
    first, second = cloud.put_asset(b"a" * 10, asset_id="a1"), cloud.put_asset(b"b" * 10, asset_id="a2")
    with cache.borrow([first], check=nothing) as (file,):
        pass
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        failed = failure(cache, second)

    assert failed.error.code is JobErrorCode.OUT_OF_DISK
    assert fetch(cache, second) == [b"b" * 10]
