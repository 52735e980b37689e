"""Downloads a model file from S3 to the disk, in parallel ranges, and checks it while it arrives."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import AssetRef

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024**2
TRANSFER = TransferConfig(
    multipart_threshold=16 * MIB,
    multipart_chunksize=8 * MIB,
    max_concurrency=8,
    preferred_transfer_client="classic",
)
"""Downloads ranges in parallel. `_CheckedSink` cannot seek, so up to ten parts wait in memory for their turn."""


def download_asset(s3: "S3Client", ref: AssetRef, path: Path, *, bucket: str, check: Callable[[], None]) -> str:
    """Download the file of `ref` to `path`, durably, and return its SHA-256.

    `check` is called for every piece that arrives and may raise to abort.

    Raises:
        JobFailed: ASSET_MISSING; ASSET_CORRUPT if it differs from what `ref` declares; INTERNAL if S3 is unreachable.
        OSError: the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            sink = _CheckedSink(file, ref, check)
            s3.download_fileobj(bucket, ref.key, cast(IO[bytes], sink), Config=TRANSFER)
            sink.finish()
            os.fsync(file.fileno())
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
            message = f"{ref.type} {ref.name} is not in the assets bucket"
            raise JobFailed(JobErrorCode.ASSET_MISSING, message) from error
        raise JobFailed(JobErrorCode.INTERNAL, f"{ref.type} {ref.name} could not be downloaded: {error}") from error
    except BotoCoreError as error:
        raise JobFailed(JobErrorCode.INTERNAL, f"{ref.type} {ref.name} could not be downloaded: {error}") from error
    return sink.sha256


class _CheckedSink:
    """Writes a download to the file and the hash. It has no `seek`, so the bytes arrive in order."""

    def __init__(self, file: BinaryIO, ref: AssetRef, check: Callable[[], None]) -> None:
        self._file = file
        self._ref = ref
        self._check = check
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._check()
        self._size += len(data)
        if self._size > self._ref.size:
            raise self._corrupt(f"has more than the {self._ref.size} bytes declared")
        self._hash.update(data)
        return self._file.write(data)

    def finish(self) -> None:
        """Check the download; raises JobFailed (ASSET_CORRUPT) if size or hash differ from those declared."""
        self._file.flush()
        if self._size != self._ref.size:
            raise self._corrupt(f"has {self._size} bytes instead of the declared {self._ref.size}")
        if self._ref.sha256 not in {None, self.sha256}:
            raise self._corrupt(f"has SHA-256 {self.sha256} instead of the declared {self._ref.sha256}")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def _corrupt(self, what: str) -> JobFailed:
        return JobFailed(JobErrorCode.ASSET_CORRUPT, f"{self._ref.type} {self._ref.name} {what}; upload it again")
