"""Pictures of model files: next to the file in storage, seen through presigned URLs."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from generate_on_cloud.contract.asset_bodies import picture_of
from lambdas.assets.record import AssetRecord
from lambdas.aws.url_life import url_life

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_DIGITS = 16


@dataclass(frozen=True)
class AssetPictures:
    client: "S3Client"
    bucket: str

    def url(self, asset: AssetRecord, *, now: datetime) -> str | None:
        """Presigned GET of the picture, None without one; no AWS call."""
        if asset.picture is None:
            return None
        return self.client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": asset.picture},
            ExpiresIn=int(url_life(self.client, now=now).total_seconds()),
        )

    @contextmanager
    def changed(self, asset: AssetRecord, picture: str | None) -> Iterator[AssetRecord]:
        """The asset with this picture (base64; None: as it was, empty: without one) for a body that records it.

        Once the body has recorded it the old picture is deleted; if the body fails, the new one is.
        """
        if picture is None:
            yield asset
            return
        new = self._store(asset, picture) if picture else None
        old = asset.picture if asset.picture != new else None
        try:
            yield replace(asset, picture=new)
        except Exception:
            if new is not None and new != asset.picture:
                self._delete(new)
            raise
        if old is not None:
            self._delete(old)

    def _store(self, asset: AssetRecord, picture: str) -> str:
        data, media_type = picture_of(picture)
        # Model files have an extension, so no file is called so; another picture has another address.
        key = f"assets/{asset.asset_id}/picture-{hashlib.sha256(data).hexdigest()[:_DIGITS]}"
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ContentType=media_type)
        return key

    def _delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)
