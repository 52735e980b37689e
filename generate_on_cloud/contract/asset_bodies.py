"""Bodies of the API's routes for assets."""

import base64
import binascii
import unicodedata
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from generate_on_cloud.contract.assets import AssetStatus, AssetType, PredictionType
from generate_on_cloud.contract.bodies import Body, View

Tag = Annotated[str, StringConstraints(min_length=1, max_length=50)]
TriggerWord = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FileName = Annotated[
    str, AfterValidator(lambda name: unicodedata.normalize("NFC", name)), Field(min_length=1, max_length=200)
]
"""A file name, kept in Unicode's normal form C: macOS hands names over decomposed, prompts are typed composed."""
Who = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""Name of a user or a role."""

MAX_ASSET_PICTURE_BYTES = 256 * 1024
_PICTURE_BEGINNINGS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"))


def picture_of(text: str) -> tuple[bytes, str]:
    """The bytes of a model file's picture in base64, and their media type.

    Raises:
        ValueError: it is not base64, too large, or neither PNG, JPEG nor WebP.
    """
    allowed = f"a PNG, JPEG or WebP of at most {MAX_ASSET_PICTURE_BYTES} bytes in base64"
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"received {text[:20]!r}, which is not base64; allowed: {allowed}") from error
    if len(data) > MAX_ASSET_PICTURE_BYTES:
        raise ValueError(f"received {len(data)} bytes; allowed: {allowed}")
    found = next((kind for beginning, kind in _PICTURE_BEGINNINGS if data.startswith(beginning)), None)
    if found is None or (found == "image/webp" and data[8:12] != b"WEBP"):
        raise ValueError(f"received a file that begins with {data[:12]!r}; allowed: {allowed}")
    return data, found


def _check_picture(text: str) -> str:
    if text:
        picture_of(text)
    return text


class CreateAsset(Body):
    """`POST /v1/assets`: an upload or, with `source_url`, an import."""

    type: str
    """An asset type, or WebUI's folder name for it."""
    name: FileName | None = None
    """File name with its extension, without folders; required for an upload. An import is called as its source calls
    it (`Content-Disposition`, else the end of the URL)."""
    size: int | None = Field(default=None, gt=0)
    """Bytes; required for an upload, checked if given for an import."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the whole file; checked if given. An upload can also declare it on completion."""
    checksum_algorithm: Literal["SHA256"] | None = None
    """Makes storage check each part of an upload; `POST /v1/assets/{id}/parts` returns the URLs."""
    source_url: str | None = Field(default=None, min_length=1, max_length=4096, repr=False)
    """https URL to fetch the file from; `civitai:MODEL`, `civitai:MODEL@VERSION` or a model's page on Civitai;
    `hf:OWNER/REPO/FILE` or a file's page on Hugging Face."""
    bearer_token: str | None = Field(default=None, pattern=r"^[!-~]{1,4096}$", repr=False)
    """Sent only to the host of `source_url`, and never stored."""
    prediction_type: PredictionType | None = None
    """What a checkpoint predicts; by default what its file says."""
    description: str = Field(default="", max_length=2000)
    tags: list[Tag] = Field(default=[], max_length=50)
    users: list[Who] = Field(default=[], max_length=100)
    """Users who may use it besides its owner; if this and `roles` are both empty, everyone may."""
    roles: list[Who] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.source_url is None and self.size is None:
            raise ValueError("received neither size nor source_url; allowed: size for an upload, source_url to import")
        if self.source_url is None and self.name is None:
            raise ValueError("received neither name nor source_url; allowed: a file name for an upload")
        if self.source_url is None and self.bearer_token is not None:
            raise ValueError("received bearer_token without source_url; allowed: both, or source_url alone")
        if self.source_url is not None and self.checksum_algorithm is not None:
            raise ValueError("received checksum_algorithm with source_url; allowed: only for an upload")
        return self


class ChangeAsset(Body):
    """`PATCH /v1/assets/{id}`: omitted fields stay as they are."""

    name: FileName | None = None
    """A new file name with the same extension."""
    description: str | None = Field(default=None, max_length=2000)
    tags: list[Tag] | None = Field(default=None, max_length=50)
    users: list[Who] | None = Field(default=None, max_length=100)
    roles: list[Who] | None = Field(default=None, max_length=100)
    prediction_type: PredictionType | Literal["automatic"] | None = None
    """What a checkpoint predicts; `automatic` is what its file says."""
    trained_words: list[TriggerWord] | None = Field(default=None, max_length=100)
    """Words that make a network show what it learned; they replace those that its file names."""
    picture: Annotated[str, AfterValidator(_check_picture)] | None = Field(default=None, repr=False)
    """What it draws, to show in lists: a PNG, JPEG or WebP of at most 256 KiB in base64; an empty text removes it."""


class ResumeImport(Body):
    """`POST /v1/assets/{id}/resume`: its source again, because neither URL nor token is stored."""

    source_url: str = Field(min_length=1, max_length=4096, repr=False)
    """As in `POST /v1/assets`; on the host that the import began with."""
    bearer_token: str | None = Field(default=None, pattern=r"^[!-~]{1,4096}$", repr=False)


class UploadPart(View):
    part_number: int
    offset: int
    size: int
    url: str | None
    """Presigned PUT; null for a part that storage already has, and for an upload with a `checksum_algorithm`."""
    received: bool = False
    sha256: str | None = None
    """SHA-256 of the bytes that storage has; only for an upload with a `checksum_algorithm`."""


class UploadView(View):
    part_size: int
    parts: list[UploadPart]
    expires_at: datetime
    checksum_algorithm: str | None = None


class PartChecksum(Body):
    part_number: int = Field(ge=1, le=10_000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the part's bytes."""


class SignParts(Body):
    """`POST /v1/assets/{id}/parts`"""

    parts: list[PartChecksum] = Field(min_length=1, max_length=1000)


class SignedPart(View):
    part_number: int
    url: str
    """Presigned PUT; storage refuses bytes that do not match the checksum."""
    headers: dict[str, str]
    """Headers to send with the PUT."""


class SignedParts(View):
    parts: list[SignedPart]
    expires_at: datetime


class AssetHashes(View):
    """The hashes by which WebUI and model sites know a file, in lower-case hex."""

    sha256: str
    short: str
    """First ten digits of sha256: the hash in a checkpoint's title."""
    autov3: str | None = None
    """sha256 of everything after the safetensors header: a LoRA's hash that its metadata does not change."""


class AssetView(View):
    asset_id: str
    type: AssetType
    name: str
    size: int
    """Bytes; 0 while the size of an import is unknown."""
    sha256: str | None
    """Declared during the upload; computed from the bytes once the asset is active."""
    status: AssetStatus
    created_at: datetime
    deleted_until: datetime | None = None
    """Until when a `deleted` asset can be restored; then its bytes are deleted."""
    error: str | None = None
    owner: str = ""
    description: str = ""
    tags: list[str] = Field(default=[])
    users: list[str] = Field(default=[])
    roles: list[str] = Field(default=[])
    received: int | None = None
    """Bytes fetched so far, while `importing`."""
    paused: bool = False
    """Whether an `importing` asset waits for `POST /v1/assets/{id}/resume`."""
    source: str | None = None
    """Host that an import came from."""
    architecture: str | None = None
    """The model family that it is or was made for."""
    prediction_type: PredictionType | None = None
    """What a checkpoint predicts, as its owner or else its file says; null if that shows when it is loaded."""
    native_width: int | None = None
    native_height: int | None = None
    """Pixels of the pictures that a checkpoint learned, where its file says so (`modelspec.resolution`)."""
    network_kind: str | None = None
    """LoRA, LoHa, LoKr, …"""
    rank: int | None = None
    trained_words: list[str] = Field(default=[])
    alias: str | None = None
    """Of a LoRA, what else its tags may call it: the name its trainer wrote into the file (`ss_output_name`)."""
    hashes: AssetHashes | None = None
    """Once active."""
    picture_url: str | None = None
    """Presigned GET of the picture that its owner gave it."""
    upload: UploadView | None = None
    """While `uploading`, for users who may complete it: in the answers to `POST /v1/assets` and to its `GET`."""


class AssetPage(View):
    assets: list[AssetView]
    next_cursor: str | None


class CompletedPart(Body):
    part_number: int = Field(ge=1, le=10_000)
    etag: str = Field(min_length=1, max_length=200)


class CompleteAsset(Body):
    """`POST /v1/assets/{id}/complete`"""

    may_be_absent: ClassVar[bool] = True

    parts: list[CompletedPart] | None = Field(default=None, min_length=1, max_length=10_000)
    """The parts and their ETags; None uses the parts that storage has."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the whole file, if it was not known when the upload began."""
