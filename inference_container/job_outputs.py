"""Stores one job's pictures and previews below its prefix in the jobs bucket."""

import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import THUMBNAIL_NAME, OutputImage
from inference_container.pictures.thumbnails import FORMAT, thumbnail_of
from inference_container.task import EncodedImage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp", "avif": "avif"}
"""Extensions of output files by picture format."""


class JobOutputs:
    """The output files of one job; methods may be called from any thread."""

    def __init__(self, s3: "S3Client", *, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def store(self, image: EncodedImage, number: int) -> OutputImage:
        """Store a finished picture; `number` counts the job's pictures from 0.

        Raises:
            JobFailed: INTERNAL, if S3 refused it or could not be reached.
        """
        key = f"{self._prefix}{number}.{EXTENSIONS[image.format]}"
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=image.data, ContentType=f"image/{image.format}")
        except (BotoCoreError, ClientError) as error:
            raise JobFailed(JobErrorCode.INTERNAL, f"picture {key} could not be stored: {error}") from error
        return OutputImage(
            key=key,
            width=image.width,
            height=image.height,
            format=image.format,
            bytes=len(image.data),
            seed=image.seed,
            infotext=image.infotext,
        )

    def store_thumbnail(self, image: EncodedImage) -> bool:
        """Store a small version of a finished picture for lists; False if that failed, which fails no job."""
        key = f"{self._prefix}{THUMBNAIL_NAME}"
        try:
            data = thumbnail_of(image.data)
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=f"image/{FORMAT}")
        except Exception:  # whatever is wrong with it, the picture itself is stored
            log.exception("the thumbnail %s could not be stored", key)
            return False
        return True

    def store_preview(self, data: bytes) -> None:
        """Store the newest preview, a JPEG, in place of the previous one; errors of S3's client propagate."""
        key = f"{self._prefix}preview.jpg"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="image/jpeg")
