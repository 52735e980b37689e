"""Documents that API, endpoint and container exchange, as JSON in S3 and in HTTP bodies.

API -> S3 -> SageMaker -> container: JobRequest. Container -> SageMaker -> S3: JobResult (2xx) or JobFailure.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.assets import AssetType, PredictionType
from generate_on_cloud.contract.errors import JobError
from generate_on_cloud.contract.jobs import JobPhase, Task


class Message(BaseModel):
    """Refuses unknown fields: both ends are deployed together, and the version shows when they are not."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", protected_namespaces=())


class Answer(BaseModel):
    """Part of the container's answer; a newer container may send fields that an older reader does not know."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", protected_namespaces=())


class AssetRef(Message):
    """An active asset that a job needs, resolved by the API so that the container looks nothing up."""

    asset_id: str
    type: AssetType
    name: str
    """File name as uploaded, e.g. `v1-5-pruned-emaonly.safetensors`."""
    key: str
    """Object key in the assets bucket."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str | None = None
    """Declared by the uploader; the container checks the bytes against it."""
    references: list[str] = []
    """The name used in the params, if it is neither the file name nor its stem."""
    prediction_type: PredictionType | None = None
    """What a checkpoint predicts, if its owner says so; otherwise the file decides."""


MAX_PICTURE_BYTES = 32 * 1024**2
"""Key or URL of a picture that was uploaded on its own or is fetched from the web."""


class JobRequest(Message):
    """The request document, `jobs/{job_id}/request.json` in the jobs bucket."""

    contract_version: int = CONTRACT_VERSION
    job_id: str
    task: Task
    params: dict[str, Any]
    """WebUI's own request body; the API validates it against the task's params model, and the container does again."""
    checkpoint: AssetRef | None = None
    """None for tasks that draw nothing."""
    assets: list[AssetRef] = []
    """VAE, LoRA, hypernetworks, embeddings and ControlNets that the params name."""
    pictures: dict[str, str] = {}
    """Pictures that the params only name: JSON pointer into the params → https URL, or key in the jobs bucket."""
    preview: bool = False
    """Store `preview.jpg` under `output_prefix` while pictures are drawn."""
    correlation_id: str | None = None
    """From the API request that created the job; every log line of the job has it."""
    traceparent: str | None = None
    """W3C trace context of that request: the run's span belongs to its trace."""
    run_timeout_s: int | None = Field(default=None, ge=1)
    """Seconds after which SageMaker drops the request: the container ends the run before that."""
    output_prefix: str
    """Key prefix in the jobs bucket for everything the job produces, ending in a slash."""


class OutputImage(Answer):
    """One picture of a result, stored in the jobs bucket."""

    key: str
    width: int
    """Pixels."""
    height: int
    format: str
    """`png`, `jpeg`, `webp` or `avif`."""
    bytes: int
    seed: int | None = None
    infotext: str = ""


class UsedModel(Answer):
    """A model file that the job used."""

    type: AssetType
    name: str
    sha256: str


class CacheUse(Answer):
    """Hits and misses of a cache, and what the misses cost."""

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    """Fetched or loaded: not in the cache."""
    seconds: float = 0.0
    """Seconds spent on the misses."""

    def plus(self, *, hits: int = 0, misses: int = 0, size: int = 0, seconds: float = 0.0) -> "CacheUse":
        return CacheUse(
            hits=self.hits + hits,
            misses=self.misses + misses,
            bytes=self.bytes + size,
            seconds=self.seconds + seconds,
        )

    def since(self, before: "CacheUse") -> "CacheUse":
        """What was added since `before`."""
        return self.plus(hits=-before.hits, misses=-before.misses, size=-before.bytes, seconds=-before.seconds)


class JobMetrics(Answer):
    """What a job's models cost before it could draw."""

    disk: CacheUse = CacheUse()
    """Model files: already on the container's disk, or fetched from S3."""
    memory: CacheUse = CacheUse()
    """Models: already loaded, or read from disk. A second job on the same models has no misses."""


THUMBNAIL_NAME = "thumbnail.webp"
"""Below a job's output prefix: its first picture, at most 256 pixels wide and high."""


class JobResult(Answer):
    """The result of a finished job; its images are in S3, never in this document."""

    contract_version: int = CONTRACT_VERSION
    job_id: str
    task: Task
    images: list[OutputImage] = []
    thumbnail: bool = False
    """Whether THUMBNAIL_NAME is stored."""
    info: dict[str, Any] = {}
    """WebUI's `info` document (semantics §1.4), parsed."""
    parameters: dict[str, Any] = {}
    """All request fields including defaults, without pictures."""
    caption: str | None = None
    scores: dict[str, float] = {}
    """Interrogate tasks: the model's confidence in each tag or phrase of the caption, 0 to 1."""
    warnings: list[str] = []
    """Parts of model files that were left out because they do not fit the checkpoint."""
    models: list[UsedModel] = []
    timings: dict[str, float] = {}
    """Seconds by phase (`JobPhase` names), and `total`."""
    metrics: JobMetrics = JobMetrics()
    correlation_id: str | None = None
    """The request's."""


class JobFailure(Answer):
    """Body of the container's non-2xx answer, and so also the failure object that SageMaker writes."""

    contract_version: int = CONTRACT_VERSION
    job_id: str | None = None
    error: JobError
    correlation_id: str | None = None
    """The request's."""


class Progress(Message):
    """Progress of a running job; steps count over the whole job (all batches and passes) and never decrease."""

    phase: JobPhase
    step: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    """0 while unknown."""
    previews: int = Field(default=0, ge=0)
    """Number of preview pictures stored so far, each replacing the one before."""
