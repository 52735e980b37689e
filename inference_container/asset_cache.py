"""Cache of model files on the container's disk: downloaded from S3 once, checked, kept until the space is needed.

Several processes may share one directory. A file is named `{hash of its key}-{its sha256}{extension}`, gets this name
only when it is complete, and has a shared lock while a job uses it. Eviction removes only files that it can lock.
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import AssetRef, CacheUse
from inference_container.asset_download import download_asset
from inference_container.file_locks import give_up, locked, removed_unless_in_use
from inference_container.models.files import ModelFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)


class AssetCache:
    """The cache directory of one container."""

    def __init__(self, s3: "S3Client", *, bucket: str, directory: Path, max_bytes: int) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._directory = directory
        self._max_bytes = max_bytes
        self.use = CacheUse()
        """Use of the cache since the start."""
        directory.mkdir(parents=True, exist_ok=True)
        self._sweep_parts()

    def reference(self, key: str, type_: AssetType) -> AssetRef:
        """Describe the file at `key` without a hash, which is unknown before the download.

        Raises:
            JobFailed: ASSET_MISSING, or INTERNAL if S3 cannot be reached.
        """
        _, asset_id, name = key.split("/", 2)
        try:
            size = self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
        except ClientError as error:
            # Without permission to list the bucket, S3 answers 403 for missing keys.
            raise JobFailed(
                JobErrorCode.ASSET_MISSING, f"{type_} {name} ({key}) is not in the assets bucket: {error}"
            ) from error
        except BotoCoreError as error:
            raise JobFailed(JobErrorCode.INTERNAL, f"{type_} {name} could not be looked up: {error}") from error
        return AssetRef(asset_id=asset_id, type=type_, name=name, key=key, size=size)

    @contextmanager
    def borrow(self, refs: Sequence[AssetRef], *, check: Callable[[], None]) -> Iterator[tuple[ModelFile, ...]]:
        """The files of `refs` in the same order; none of them is evicted before the `with` block ends.

        `check` is called repeatedly and may raise to abort.

        Raises:
            JobFailed: ASSET_MISSING, ASSET_CORRUPT, OUT_OF_DISK, or INTERNAL if S3 cannot be reached.
        """
        needed = sum({ref.key: ref.size for ref in refs}.values())
        if needed > self._max_bytes:
            raise JobFailed(
                JobErrorCode.OUT_OF_DISK,
                f"{', '.join(ref.name for ref in refs)} need {needed} bytes together, "
                f"the cache may hold {self._max_bytes}",
            )
        with ExitStack() as held:
            files = []
            for ref in refs:
                check()
                found = self._held(ref)
                self.use = self.use.plus(hits=found is not None, misses=found is None)
                path, lock = found or self._fetched(ref, check)
                held.callback(lock.close)
                files.append(
                    ModelFile(
                        type=ref.type,
                        name=ref.name,
                        path=path,
                        sha256=_sha256_in(path),
                        references=tuple(ref.references),
                        prediction_type=ref.prediction_type,
                    )
                )
            yield tuple(files)

    @staticmethod
    def place_of(directory: Path, ref: AssetRef) -> Path:
        """The path of a complete file with a known hash."""
        return directory / f"{_key_hash(ref)}-{ref.sha256}{_extension(ref.name)}"

    def _held(self, ref: AssetRef) -> tuple[Path, BinaryIO] | None:
        """The cached file and its lock; None if it is missing or differs from what `ref` declares."""
        for path in self._directory.glob(f"{_key_hash(ref)}-*"):
            try:
                lock = path.open("rb")
            except FileNotFoundError:
                continue
            fcntl.flock(lock, fcntl.LOCK_SH)
            found = os.fstat(lock.fileno())
            declared = ref.sha256 in {None, _sha256_in(path)}
            if found.st_nlink and found.st_size == ref.size and declared:
                os.utime(path)
                return path, lock
            lock.close()
        return None

    def _fetched(self, ref: AssetRef, check: Callable[[], None]) -> tuple[Path, BinaryIO]:
        with locked(self._directory / f"{_key_hash(ref)}.lock", wait=check):
            # Another process may have downloaded it while this one waited for the lock.
            found = self._held(ref)
            while found is None:
                self._make_room(ref)
                self._download(ref, check)
                # Another process could evict it between the rename and the lock; then it is downloaded again.
                found = self._held(ref)
            return found

    def _download(self, ref: AssetRef, check: Callable[[], None]) -> None:
        part = self._directory / f"{_key_hash(ref)}.part"
        began = time.perf_counter()
        try:
            sha256 = download_asset(self._s3, ref, part, bucket=self._bucket, check=check)
            part.rename(self.place_of(self._directory, ref.model_copy(update={"sha256": sha256})))
            _sync_directory(self._directory)
            self.use = self.use.plus(size=ref.size, seconds=time.perf_counter() - began)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise self._disk_full(ref) from error
            raise
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self, ref: AssetRef) -> None:
        """Evict the least recently used files until `ref` fits into the cache's limit and onto the disk."""
        files = sorted(self._files(), key=lambda found: found[2])
        used = sum(size for _, size, _ in files)
        for path, size, _ in files:
            if used + ref.size <= self._max_bytes and shutil.disk_usage(self._directory).free >= ref.size:
                return
            if removed_unless_in_use(path):
                log.info("evicted %s, %d bytes", path.name, size)
                used -= size
        if shutil.disk_usage(self._directory).free < ref.size:
            raise self._disk_full(ref)
        if used + ref.size > self._max_bytes:
            raise JobFailed(
                JobErrorCode.OUT_OF_DISK,
                f"{ref.type} {ref.name} needs {ref.size} bytes, but files in use take {used} of the "
                f"{self._max_bytes} that the cache may hold",
            )

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        for path in self._directory.glob("*-*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            yield path, found.st_size, found.st_mtime

    def _disk_full(self, ref: AssetRef) -> JobFailed:
        free = shutil.disk_usage(self._directory).free
        return JobFailed(
            JobErrorCode.OUT_OF_DISK,
            f"{ref.type} {ref.name} needs {ref.size} bytes, but only {free} are free on the disk",
        )

    def _sweep_parts(self) -> None:
        """Remove partial downloads of dead processes."""
        for part in self._directory.glob("*.part"):
            try:
                with locked(part.with_suffix(".lock"), wait=give_up):
                    part.unlink(missing_ok=True)
            except BlockingIOError:
                continue  # a running process is downloading it


def _key_hash(ref: AssetRef) -> str:
    return hashlib.sha256(ref.key.encode()).hexdigest()[:32]


def _sha256_in(path: Path) -> str:
    return path.name.partition("-")[2].partition(".")[0]


def _extension(name: str) -> str:
    known = {extension for rule in ASSET_TYPES.values() for extension in rule.extensions}
    return suffix if (suffix := Path(name).suffix) in known else ""


def _sync_directory(path: Path) -> None:
    """Make a rename in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
