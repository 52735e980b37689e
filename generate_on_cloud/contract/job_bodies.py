"""Bodies of the API's routes for jobs and their pictures."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, model_validator

from generate_on_cloud.contract.assets import ResolvedModel
from generate_on_cloud.contract.bodies import Body, View
from generate_on_cloud.contract.errors import FieldError, JobError, ProblemCode
from generate_on_cloud.contract.jobs import DEFAULT_RETRIES, MAX_RETRIES, JobPhase, JobStatus, Task
from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES, JobMetrics, UsedModel
from generate_on_cloud.contract.webhooks import Webhook

MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]
MAX_METADATA = 16
MAX_LABEL = 200
Label = Annotated[str, Field(max_length=MAX_LABEL, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""One line of text, without control characters."""
SHOWN_PROMPT = 1000
"""Characters of a prompt that lists show and search."""


class CreateJob(Body):
    """`POST /v1/jobs`"""

    task: Task
    checkpoint: str | None = None
    """Asset id, file name, stem, or WebUI's title `name.safetensors [hash]`; txt2img and img2img need it here or as
    `params.override_settings.sd_model_checkpoint`."""
    preview: bool = False
    """Show the first picture of each batch while it is drawn, at the running job's `preview_url`."""
    params: dict[str, Any] | None = None
    """WebUI's request body. None: upload it to the answer's presigned URL, then call `POST /v1/jobs/{id}/start`."""
    endpoint: str | None = Field(default=None, min_length=1, max_length=63)
    """The endpoint to use; None: the caller's default, or else the least loaded one that the caller may use."""
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=MAX_METADATA)
    """The client's own notes, returned with the job."""
    label: Label = ""
    """A name for the job; `PATCH /v1/jobs/{id}` changes it."""
    ttl_s: int | None = Field(default=None, ge=60, le=21_600)
    """Seconds the job may wait for a worker before it is `expired`; None: six hours."""
    run_timeout_s: int | None = Field(default=None, ge=1, le=3600)
    """Seconds the job may run; None: fifteen minutes."""
    retries: int = Field(default=DEFAULT_RETRIES, ge=0, le=MAX_RETRIES)
    """How often the job is queued again after its worker was lost: at once, then after a minute, then after four."""
    dry_run: bool = False
    """Run all checks without creating a job."""
    strict: bool = False
    """Refuse what would else be ignored and named in `warnings`: fields, scripts and options that change no picture."""
    webhook: Webhook | None = None
    """A URL of yours to call when the job finishes."""


class RetryJob(Body):
    """`POST /v1/jobs/{id}/retry`"""

    may_be_absent = True

    seed: int | None = Field(default=None, ge=-1)
    """Draws the same with this seed, -1: a random one; null: with the seed that the job was sent with."""


class PatchJob(Body):
    """`PATCH /v1/jobs/{id}`; what is null or left out stays as it is."""

    label: Label | None = None
    """The empty text removes it."""
    starred: bool | None = None
    metadata: dict[MetadataKey, MetadataValue] | None = Field(default=None, max_length=MAX_METADATA)
    """Entries to add or to replace; the job's others stay."""


class PresignedPut(View):
    """Where to PUT the params document (JSON) or the picture."""

    url: str
    headers: dict[str, str]
    """Headers that the PUT must carry."""
    max_bytes: int
    expires_at: datetime


class ImageView(View):
    url: str
    """Presigned GET of the picture, which contains its infotext."""
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
    scores: dict[str, float] = Field(default={})
    """Confidence in each tag or phrase of the caption, 0 to 1."""
    warnings: list[str] = Field(default=[])
    """Parts of model files that were left out because they do not fit the checkpoint."""
    models: list[UsedModel]
    timings: dict[str, float]
    metrics: JobMetrics = JobMetrics()
    """How often model files and models were cached, and what the misses cost."""


class ProgressView(View):
    """What a job is doing, or was doing when it ended."""

    phase: JobPhase
    step: int = 0
    """Steps count over the whole job (all batches and passes) and never decrease."""
    steps: int = 0
    """0 while unknown."""
    previews: int = 0
    """Number of preview pictures stored so far, each replacing the one before."""
    fraction: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps that is done; 1 only once the job has succeeded."""
    message: str = ""
    """The same as a sentence."""


class JobSummary(View):
    """One job in a list."""

    job_id: str
    line: str = ""
    """`time → task → status → id`"""
    label: str = ""
    """As its user names it."""
    starred: bool = False
    prompt: str = ""
    """The beginning of the positive prompt, up to 1000 characters on one line."""
    task: Task
    status: JobStatus
    checkpoint: str | None
    endpoint: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    thumbnail_url: str | None = None
    """Presigned GET of the first picture as WebP, at most 256 pixels wide and high; only when `succeeded`."""
    cost_usd: float | None = None
    """For the time that a worker had it, once it has finished; None: the price is not known."""
    progress: ProgressView | None = None
    error: JobError | None = None


class JobQueue(View):
    """How long a queued job may have to wait."""

    ahead: int
    """Jobs ahead of it at its endpoint, the running ones too."""
    eta_seconds: float | None = None
    """Seconds until it is done: the start of a GPU if the endpoint sleeps, what the jobs ahead have left by their
    sizes, and its own run. Estimated from the latest jobs on its endpoint; None if there are none yet."""
    eta_low_seconds: float | None = None
    eta_high_seconds: float | None = None
    start_seconds: float | None = None
    """The part for the start of a GPU; 0 if one runs."""


class JobEstimate(View):
    """What a job would take, from the latest runs on its endpoint."""

    megapixel_steps: float
    """Its size: width × height / 10⁶ × steps × pictures."""
    seconds: float | None
    """Of the run, once a GPU has it; None: the endpoint has no recent runs."""
    seconds_low: float | None
    seconds_high: float | None
    cost_usd: float | None
    """Of the run, at the price of the endpoint's GPU; None if that or the seconds are not known."""
    cost_usd_low: float | None
    cost_usd_high: float | None
    wakes_gpu: bool | None
    """Whether a GPU must be started for it; None: SageMaker does not say."""
    start_seconds: float | None
    """Seconds until that GPU takes jobs; 0 if one runs."""


class JobView(JobSummary):
    """`GET /v1/jobs/{id}` and the answer to `POST /v1/jobs`."""

    cancel_requested: bool = False
    dry_run: bool = False
    """True for a dry run: no job was created, and this id does not exist."""
    retry_of: str | None = None
    """The job this one repeats."""
    correlation_id: str | None = None
    """`x-correlation-id` of the request that sent it; also in the logs of the functions and the container."""
    traceparent: str | None = None
    """W3C trace context of that request, if it had one; the run's spans belong to its trace."""
    metadata: dict[str, str] = Field(default={})
    ttl_s: int | None = None
    run_timeout_s: int | None = None
    retries: int = DEFAULT_RETRIES
    models: list[ResolvedModel] = Field(default=[])
    """The checkpoint and every other file that the request named, once it is queued."""
    warnings: list[FieldError] = Field(default=[])
    """What of the params was ignored, and why; pointers are into the body of `POST /v1/jobs`."""
    queue: JobQueue | None = None
    """Only while `queued`, and for a dry run."""
    estimate: JobEstimate | None = None
    """Only for a dry run."""
    starting_since: datetime | None = None
    """When it was queued; only while it is `queued` and its endpoint has no running instance (`progress.phase` is then
    `starting` too). Afterwards `result.timings.starting` has the seconds."""
    seeds: list[int] = Field(default=[])
    """Deletion time of the pictures, when `succeeded`."""
    queued_seconds: float | None = None
    """Seconds from queued to running."""
    run_seconds: float | None = None
    """Seconds from running to finished."""
    upload: PresignedPut | None = None
    """Only while `created`."""
    preview_url: str | None = None
    """Presigned GET of a JPEG while the job runs and has one; `progress.previews` increases with each new picture."""
    result: ResultView | None = None
    """Only when `succeeded`."""


class JobPage(View):
    """`GET /v1/jobs`: newest first."""

    jobs: list[JobSummary]
    next_cursor: str | None


class CreateInput(Body):
    """`POST /v1/inputs`"""

    size: int = Field(ge=1, le=MAX_PICTURE_BYTES)
    """Bytes of the picture; storage takes exactly so many."""


class InputView(View):
    """`POST /v1/inputs`"""

    input_id: str
    """The value for a picture field of a job's params, once the picture is uploaded."""
    upload: PresignedPut


class DeleteJobs(Body):
    """`POST /v1/jobs/delete`"""

    job_ids: list[str] = Field(min_length=1, max_length=50)


class RefusedJob(View):
    """A job of a batch with which nothing was done, and why."""

    job_id: str
    code: ProblemCode
    detail: str


class DeletedJobs(View):
    """Result of a batch deletion: every id is in one of the two lists."""

    deleted: list[str]
    refused: list[RefusedJob]


class CancelJobs(Body):
    """`POST /v1/jobs/cancel`: either `job_ids` or `all_waiting`."""

    job_ids: list[str] | None = Field(default=None, min_length=1, max_length=50)
    all_waiting: bool = False
    """Your `created` and `queued` jobs."""
    everyone: bool = False
    """With `all_waiting`: those of all users; needs `inference:all`."""
    endpoint: str | None = Field(default=None, min_length=1, max_length=63)
    """With `all_waiting`: only those of this endpoint."""
    keep: list[str] = Field(default=[], max_length=50)
    """With `all_waiting`: jobs to leave alone."""

    @model_validator(mode="after")
    def _one_way(self) -> "CancelJobs":
        if (self.job_ids is not None) == self.all_waiting:
            raise ValueError("allowed: either job_ids or all_waiting")
        if self.job_ids is not None and (self.everyone or self.endpoint or self.keep):
            raise ValueError("everyone, endpoint and keep are for all_waiting; allowed: job_ids alone")
        return self


class CanceledJobs(View):
    canceled: list[str]
    """Canceled now or before; a running job stops at its next step."""
    refused: list[RefusedJob]
    more: bool = False
    """There are more jobs that wait: send the request again."""
