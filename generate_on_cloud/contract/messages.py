"""What travels between API, endpoint and container, as JSON documents in S3 and HTTP bodies.

API -> S3 -> SageMaker -> container: JobRequest. Container -> SageMaker -> S3: JobResult (2xx) or JobFailure.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobError
from generate_on_cloud.contract.jobs import JobPhase, Task


class Message(BaseModel):
    """Unknown fields are refused: both ends are deployed together and the version says so when they are not."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", protected_namespaces=())


class Answer(BaseModel):
    """Parts of what the container answers: one that is newer than the reader may say more than the reader knows."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", protected_namespaces=())


class AssetRef(Message):
    """An active asset a job needs, resolved by the API so that the container looks nothing up."""

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
    """How the params name it, where that is neither the file name nor its stem."""


MAX_PICTURE_BYTES = 32 * 1024**2
"""Of a picture that is uploaded on its own or fetched from a URL."""


class JobRequest(Message):
    """The request document, `jobs/{job_id}/request.json` in the jobs bucket."""

    contract_version: int = CONTRACT_VERSION
    job_id: str
    task: Task
    params: dict[str, Any]
    """WebUI's own request body, validated against the task's params model by the API and again by the container."""
    checkpoint: AssetRef | None = None
    """None for the tasks that draw nothing."""
    assets: list[AssetRef] = []
    """VAE, LoRA, hypernetworks, embeddings, ControlNets the params name."""
    pictures: dict[str, str] = {}
    """Pictures the params only name: JSON pointer into the params → https URL, or key in the jobs bucket."""
    preview: bool = False
    """Store `preview.jpg` below `output_prefix` while pictures are drawn."""
    correlation_id: str | None = None
    """Of the API request the job began with; it is on every log line of the job."""
    output_prefix: str
    """Key prefix in the jobs bucket for what the job makes, ending in a slash."""


class OutputImage(Answer):
    """One picture of a result, stored in the jobs bucket."""

    key: str
    width: int
    """Pixels."""
    height: int
    format: str
    """`png`, `jpeg` or `webp`."""
    bytes: int
    seed: int | None = None
    infotext: str = ""


class UsedModel(Answer):
    """A model file that took part."""

    type: AssetType
    name: str
    sha256: str


class CacheUse(Answer):
    """How often a cache had what was wanted, and what it cost where it had not."""

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    """Fetched or loaded."""
    seconds: float = 0.0
    """Spent on that."""

    def plus(self, *, hits: int = 0, misses: int = 0, size: int = 0, seconds: float = 0.0) -> "CacheUse":
        return CacheUse(
            hits=self.hits + hits,
            misses=self.misses + misses,
            bytes=self.bytes + size,
            seconds=self.seconds + seconds,
        )

    def since(self, before: "CacheUse") -> "CacheUse":
        """What was added after `before`."""
        return self.plus(hits=-before.hits, misses=-before.misses, size=-before.bytes, seconds=-before.seconds)


class JobMetrics(Answer):
    """What a job's models cost before it could draw."""

    disk: CacheUse = CacheUse()
    """Model files: on the container's disk already, or fetched from S3."""
    memory: CacheUse = CacheUse()
    """Models: loaded already, or read from the disk. A second job on the same models has no misses."""


class JobResult(Answer):
    """What a finished job gave; images are in S3, never in here."""

    contract_version: int = CONTRACT_VERSION
    job_id: str
    task: Task
    images: list[OutputImage] = []
    info: dict[str, Any] = {}
    """WebUI's `info` document (semantics §1.4), parsed."""
    parameters: dict[str, Any] = {}
    """Echo of all request fields incl. defaults, without pictures."""
    caption: str | None = None
    scores: dict[str, float] = {}
    """Of the interrogate tasks: how sure the model is of each tag or phrase in the caption, 0 to 1."""
    models: list[UsedModel] = []
    timings: dict[str, float] = {}
    """Seconds by phase (`JobPhase` names) and `total`."""
    metrics: JobMetrics = JobMetrics()
    correlation_id: str | None = None
    """The request's."""


class JobFailure(Answer):
    """Body of the container's non-2xx answer, so also the failure object SageMaker writes."""

    contract_version: int = CONTRACT_VERSION
    job_id: str | None = None
    error: JobError
    correlation_id: str | None = None
    """The request's."""


class Progress(Message):
    """How far a running job is; steps count over the whole job (all batches and passes) and never go back."""

    phase: JobPhase
    step: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    """0 while not known."""
    previews: int = Field(default=0, ge=0)
    """How many preview pictures have been stored, each over the one before."""
