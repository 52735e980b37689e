"""Bodies of the REST API, shared by the Lambda that answers and the client that asks."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from inference_container.contract.assets import AssetStatus, AssetType
from inference_container.contract.errors import JobError, ProblemCode
from inference_container.contract.jobs import JobStatus, Task
from inference_container.contract.messages import JobMetrics, Progress, UsedModel
from inference_container.contract.webhooks import Webhook

Tag = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Who = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""A user's or a role's name."""


class Body(BaseModel):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid", protected_namespaces=())


class View(BaseModel):
    """What the API answers; a client tolerates fields that a newer API adds."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())


MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]
MAX_METADATA = 16


class CreateJob(Body):
    """`POST /v1/jobs`"""

    task: Task
    checkpoint: str | None = None
    """Asset id, file name, stem, or WebUI's title `name.safetensors [hash]`; required for txt2img and img2img, here or
    as `params.override_settings.sd_model_checkpoint`."""
    preview: bool = False
    """Show the first picture of each batch while it is drawn: `preview_url` of the running job."""
    params: dict[str, Any] | None = None
    """WebUI's request body. None: the answer holds a presigned URL for it, then `POST /v1/jobs/{id}/start`."""
    endpoint: str | None = Field(default=None, min_length=1, max_length=63)
    """The endpoint to send it to; None: the caller's default, without one the least loaded they may use."""
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=MAX_METADATA)
    """The client's own notes, given back with the job."""
    ttl_s: int | None = Field(default=None, ge=60, le=21_600)
    """Seconds the job may wait for a worker before it is `expired`; None: six hours."""
    run_timeout_s: int | None = Field(default=None, ge=1, le=3600)
    """Seconds the job may run; None: fifteen minutes."""
    dry_run: bool = False
    """Check everything and make nothing."""
    webhook: Webhook | None = None
    """A server of yours that is told when the job ends."""


class PresignedPut(View):
    """Where to PUT the params document (JSON) or the picture."""

    url: str
    headers: dict[str, str]
    """Headers the PUT must carry."""
    max_bytes: int
    expires_at: datetime


class ImageView(View):
    url: str
    """Presigned GET of the picture, its infotext inside."""
    width: int
    height: int
    format: str
    seed: int | None
    infotext: str


class ResultView(View):
    images: list[ImageView]
    info: dict[str, Any]
    parameters: dict[str, Any]
    caption: str | None
    scores: dict[str, float] = {}
    """By tag or phrase of the caption, 0 to 1."""
    models: list[UsedModel]
    timings: dict[str, float]
    metrics: JobMetrics = JobMetrics()
    """How often model files and models were at hand, and what it cost where they were not."""


class JobSummary(View):
    """A line of the history."""

    job_id: str
    label: str
    """`time → task → status → id`"""
    task: Task
    status: JobStatus
    checkpoint: str | None
    endpoint: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress | None = None
    error: JobError | None = None


class JobQueue(View):
    """How long a queued job may have to wait."""

    ahead: int
    """Jobs before it that have not ended."""
    eta_seconds: float | None
    """Until it is done, from the latest runs on its endpoint; None while there were none."""


class ResolvedModel(View):
    """A model file the request named."""

    type: AssetType
    name: str
    sha256: str | None
    """As its uploader declared it."""


class JobView(JobSummary):
    """`GET /v1/jobs/{id}` and the answer of `POST /v1/jobs`."""

    cancel_requested: bool = False
    dry_run: bool = False
    """Nothing was made: there is no job of this id."""
    retry_of: str | None = None
    """The job this one repeats."""
    correlation_id: str | None = None
    """`x-correlation-id` of the request that sent it, also in the logs of functions and container."""
    metadata: dict[str, str] = {}
    ttl_s: int | None = None
    run_timeout_s: int | None = None
    models: list[ResolvedModel] = []
    """The checkpoint and every other file the request named, once it is queued."""
    queue: JobQueue | None = None
    """Only while `queued`."""
    starting_since: datetime | None = None
    """Only while it is `queued` and no instance of its endpoint runs, which then is `progress.phase` too: when it was
    queued. `result.timings.starting` says in the end how long it was."""
    seeds: list[int] = []
    """Of the pictures, when `succeeded`."""
    queued_seconds: float | None = None
    """From queued to running."""
    run_seconds: float | None = None
    """From running to the end."""
    upload: PresignedPut | None = None
    """Only while `created`."""
    preview_url: str | None = None
    """Presigned GET of a JPEG, while the job runs and there is one; `progress.previews` says when it is a new one."""
    result: ResultView | None = None
    """Only when `succeeded`."""


class JobPage(View):
    """`GET /v1/jobs`: newest first."""

    jobs: list[JobSummary]
    next_cursor: str | None


class InputView(View):
    """`POST /v1/inputs`"""

    input_id: str
    """What a picture field of a job's params may hold once the picture is uploaded."""
    upload: PresignedPut


class DeleteJobs(Body):
    """`POST /v1/jobs/delete`"""

    job_ids: list[str] = Field(min_length=1, max_length=50)


class NotDeleted(View):
    job_id: str
    code: ProblemCode
    detail: str


class DeletedJobs(View):
    """What a batch came to: every id is in one of the two lists."""

    deleted: list[str]
    refused: list[NotDeleted]


class CreateAsset(Body):
    """`POST /v1/assets`: an upload, or with `source_url` an import."""

    type: str
    """An asset type, or WebUI's folder name for it."""
    name: str = Field(min_length=1, max_length=200)
    """File name with its extension, no folders."""
    size: int | None = Field(default=None, gt=0)
    """Bytes; required for an upload, checked when given for an import."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the whole file; checked when given. An upload may also declare it at its end."""
    checksum_algorithm: Literal["SHA256"] | None = None
    """Storage then checks each part of an upload; `POST /v1/assets/{id}/parts` gives the URLs."""
    source_url: str | None = Field(default=None, min_length=1, max_length=4096, repr=False)
    """https URL to fetch the file from."""
    bearer_token: str | None = Field(default=None, pattern=r"^[!-~]{1,4096}$", repr=False)
    """Sent to the host of `source_url` only, and kept nowhere."""
    description: str = Field(default="", max_length=2000)
    tags: list[Tag] = Field(default=[], max_length=50)
    users: list[Who] = Field(default=[], max_length=100)
    """Who may use it beside its owner; nobody named here or in `roles` means everybody."""
    roles: list[Who] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.source_url is None and self.size is None:
            raise ValueError("received neither size nor source_url; allowed: size for an upload, source_url to import")
        if self.source_url is None and self.bearer_token is not None:
            raise ValueError("received bearer_token without source_url; allowed: both, or source_url alone")
        if self.source_url is not None and self.checksum_algorithm is not None:
            raise ValueError("received checksum_algorithm with source_url; allowed: for an upload only")
        return self


class ChangeAsset(Body):
    """`PATCH /v1/assets/{id}`: what is not named stays as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    """A new file name with the same extension."""
    description: str | None = Field(default=None, max_length=2000)
    tags: list[Tag] | None = Field(default=None, max_length=50)
    users: list[Who] | None = Field(default=None, max_length=100)
    roles: list[Who] | None = Field(default=None, max_length=100)


class UploadPart(View):
    part_number: int
    offset: int
    size: int
    url: str | None
    """Presigned PUT; null for a part that storage has, and in an upload with a `checksum_algorithm`."""
    received: bool = False
    sha256: str | None = None
    """Of the bytes that storage has; only in an upload with a `checksum_algorithm`."""


class UploadView(View):
    part_size: int
    parts: list[UploadPart]
    expires_at: datetime
    checksum_algorithm: str | None = None


class PartChecksum(Body):
    part_number: int = Field(ge=1, le=10_000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the part's bytes."""


class SignParts(Body):
    """`POST /v1/assets/{id}/parts`"""

    parts: list[PartChecksum] = Field(min_length=1, max_length=1000)


class SignedPart(View):
    part_number: int
    url: str
    """Presigned PUT; storage refuses other bytes than those of the checksum."""
    headers: dict[str, str]
    """To be sent with it."""


class SignedParts(View):
    parts: list[SignedPart]
    expires_at: datetime


class AssetHashes(View):
    """The hashes WebUI and model sites know a file by, lower-case hex."""

    sha256: str
    short: str
    """First ten digits of sha256: the hash in a checkpoint's title."""
    autov3: str | None = None
    """sha256 of what follows a safetensors header: the hash of a LoRA, whatever its metadata."""


class AssetView(View):
    asset_id: str
    type: AssetType
    name: str
    size: int
    """Bytes; 0 while the size of an import is not known."""
    sha256: str | None
    """Declared while the bytes are on their way, computed from them once the asset is active."""
    status: AssetStatus
    created_at: datetime
    error: str | None = None
    owner: str = ""
    description: str = ""
    tags: list[str] = []
    users: list[str] = []
    roles: list[str] = []
    received: int | None = None
    """Bytes fetched so far, while `importing`."""
    source: str | None = None
    """Host an import came from."""
    architecture: str | None = None
    """The model family it is, or was made for."""
    network_kind: str | None = None
    """LoRA, LoHa, LoKr, …"""
    rank: int | None = None
    trained_words: list[str] = []
    hashes: AssetHashes | None = None
    """Once active."""
    upload: UploadView | None = None
    """While `uploading`, for those who may complete it: in the answers of `POST /v1/assets` and of its `GET`."""


class AssetPage(View):
    assets: list[AssetView]
    next_cursor: str | None


class CompletedPart(Body):
    part_number: int = Field(ge=1, le=10_000)
    etag: str = Field(min_length=1, max_length=200)


class CompleteAsset(Body):
    """`POST /v1/assets/{id}/complete`"""

    parts: list[CompletedPart] | None = Field(default=None, min_length=1, max_length=10_000)
    """The parts and their ETags; None takes those that storage has."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the whole file, for those who did not know it when the upload began."""


class Health(View):
    status: str
    version: str
    contract_version: int
