"""The configuration of one stage: typed, with defaults, overridden by CDK context (`-c name=value`)."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from generate_on_cloud.contract.endpoints import DEFAULT_BACKLOG_PER_INSTANCE, DEFAULT_IDLE_MINUTES, IdleMinutes
from generate_on_cloud.contract.instances import GPUS, HOUR_USD, too_old

LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365]
"""The retention periods that CloudWatch Logs supports, up to a year."""


UNNAMED = "main"
NONE = "none"
"""The value of an optional option that is deliberately unset."""
NEW_NETWORK_ZONES = 2
"""How many of the region's zones a new network has subnets in: the first ones."""
AWS_ONLY = {"generate-on-cloud": "aws-only"}
"""Tag of a stack that the local cloud does not deploy."""


STAGES: Mapping[str, Mapping[str, object]] = {
    "dev": {
        "keep_data": False,
        "job_retention_days": 7,
        "log_retention_days": 7,
    },
    "prod": {
        "max_instances": 4,
        "idle_minutes": 10,
        "log_retention_days": 90,
        "oldest_job_minutes": 30,
        "deleted_models_days": 7,
    },
}
"""What `-c stage=NAME` implies; other context takes precedence. A stage of any other name has the defaults."""


class ConfigError(ValueError):
    """A context value is unknown or out of range; the message names it and what is allowed."""


class StageConfig(BaseModel):
    """Each field is a context name of `cdk deploy -c name=value`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str = Field(default="", pattern=r"^[a-z0-9]{0,16}$")
    """Suffix of the stack's name, so that several can exist in one account; empty for the only one."""
    instance_type: str = Field(default="ml.g5.xlarge", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")
    """SageMaker instance type of the default endpoint."""
    gpus: int | None = Field(default=None, ge=1, le=16)
    """GPUs of `instance_type`, one worker each; None: as in `contract/instances.py`."""
    min_instances: int = Field(default=0, ge=0)
    """0 lets the endpoint sleep when there are no jobs."""
    max_instances: int = Field(default=1, ge=1)
    backlog_per_instance: float = Field(default=DEFAULT_BACKLOG_PER_INSTANCE, gt=0)
    """Queued jobs per instance above which another instance starts."""
    idle_minutes: IdleMinutes = DEFAULT_IDLE_MINUTES
    """Minutes without a job after which the endpoint returns to `min_instances`."""
    scale_out_cooldown_seconds: int = Field(default=60, ge=0)
    inference_ami: str = "al2023-ami-sagemaker-inference-gpu-4-1"
    """`InferenceAmiVersion` of the instances; this one has NVIDIA driver 580, which CUDA 13 (for torch 2.13) needs."""
    vpc: Literal["none", "new"] = "none"
    """`new`: the endpoint gets its own VPC without internet access, so jobs cannot name pictures by URL."""
    subnet_ids: tuple[str, ...] = ()
    """Subnets of an existing VPC for the endpoint, as `subnet-1,subnet-2`; they must reach S3 and DynamoDB."""
    security_group_ids: tuple[str, ...] = ()
    """The endpoint's security groups in these subnets."""
    kms_key: str | None = Field(
        default=None, pattern=r"^(new|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{32,36})$"
    )
    """Encryption of buckets, tables, queues, topics, logs and admin key: `new` creates a key, an ARN uses an existing
    one (its policy must allow the services: docs/security.md); None: the keys of S3 and AWS."""
    image_uri: str | None = None
    """An existing image of `inference_container` in ECR; None builds it during deployment."""
    preload: str | None = Field(default=None, pattern=r"^[0-9a-f-]{36}/[^/]+$")
    """A checkpoint, `ASSET_ID/NAME`, that each new container loads before its first job; None: the first job does."""
    compile_unet: bool = False
    """Compile the UNet on the GPU: the first picture of each size is slow, later ones are faster."""
    job_retention_days: int = Field(default=30, ge=1)
    """Jobs and their pictures are deleted after this many days."""
    log_retention_days: LogDays = 30
    api_requests_per_second: float = Field(default=50, gt=0)
    """Sustained requests per second for the whole API; beyond it the answer is 429."""
    api_burst: int = Field(default=100, ge=1)
    key_requests_per_minute: int = Field(default=600, ge=60)
    """With one key; more is answered 429 until the next minute."""
    waiting_requests: int = Field(default=4, ge=0)
    """Requests with `?wait=` that wait at once; more are answered at once. Each holds one of the account's Lambda
    executions, of which a new account has ten."""
    alarm_email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Receives the alarms after confirming; None: alarms are only visible in CloudWatch."""
    oldest_job_minutes: int = Field(default=60, ge=5)
    """A job that stays open this long triggers an alarm."""
    monthly_budget_usd: float | None = Field(default=None, gt=0)
    """What the stage's services cost the account in a month; an alarm comes at 80 percent and when forecast; None: no
    budget."""
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    """Where the API's function and the container send spans, and the container metrics, by OTLP over HTTP, such as
    `http://collector:4318`; None: nowhere."""
    waf: bool = False
    """A firewall in front of the API, for about 8 dollars a month."""
    noncommercial_models: bool = False
    """Take CodeFormer and build its code into the image: both are under the S-Lab licence, for non-commercial use."""
    sdapi: bool = False
    """Answer WebUI's API (`/sdapi/v1`) at the API's own address too, with an API key as the password."""
    gpu_price_per_hour: float | None = Field(default=None, ge=0)
    """US dollars per hour of `instance_type`, used in `GET /v1/usage`; 0: usage has no cost; None: as in
    `contract/instances.py`, or 0 for a type without a price there."""
    deleted_models_days: int = Field(default=0, ge=0, le=365)
    """How long a deleted or overwritten model file can be brought back; 0: not at all. It is paid as storage."""
    keep_data: bool = True
    """Tables and buckets outlive the stack."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_instances > self.max_instances:
            message = f"min_instances {self.min_instances} is above max_instances {self.max_instances}"
            raise ValueError(message)
        if bool(self.subnet_ids) != bool(self.security_group_ids):
            raise ValueError("received only one of subnet_ids and security_group_ids; allowed: both or neither")
        if self.subnet_ids and self.vpc == "new":
            raise ValueError("received both vpc=new and subnet_ids; allowed: one of them")
        if why := too_old(self.instance_type):
            message = f"instance_type {self.instance_type} cannot run the container: {why}"
            raise ValueError(message)
        if self.gpus is None and self.instance_type not in GPUS:
            message = f"the number of GPUs of instance_type {self.instance_type} is unknown; set it with -c gpus=N"
            raise ValueError(message)
        return self

    @property
    def workers(self) -> int:
        """Workers of one instance: one per GPU."""
        return self.gpus or GPUS[self.instance_type]

    @property
    def price_per_hour(self) -> float:
        """US dollars per hour of an instance; 0: unknown."""
        known = HOUR_USD.get(self.instance_type, 0.0)
        return known if self.gpu_price_per_hour is None else self.gpu_price_per_hour

    @field_validator("stage")
    @classmethod
    def _check_stage(cls, value: str) -> str:
        if value == UNNAMED:
            raise ValueError(f"{UNNAMED!r} is reserved: endpoints of the unnamed stage have it in their names")
        return value

    @property
    def stack_name(self) -> str:
        """Name of the core stack; the other stacks append a word."""
        return f"GenerateOnCloud-{self.stage}" if self.stage else "GenerateOnCloud"

    @property
    def endpoint_prefix(self) -> str:
        """Prefix of the names of all endpoints of this stage only; SageMaker's ARNs are in lower case."""
        return f"goc-{self.stage or UNNAMED}-"

    @property
    def variant(self) -> str:
        """Of the default endpoint, named after its type: SageMaker never changes the type of a variant that scales."""
        return self.instance_type.removeprefix("ml.").replace(".", "-")

    @property
    def default_endpoint(self) -> str:
        """Name of the template's endpoint: the functions must know it before it exists."""
        return f"{self.endpoint_prefix}default"

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Read the fields from the app's context, ignoring feature flags (`@…`, `aws:…`) and `local`.

        Raises:
            ConfigError: a name is unknown or a value is not allowed.
        """
        values = {name: _read(name, value) for name, value in own_context(context).items()}
        if unknown := sorted(values.keys() - cls.model_fields.keys()):
            message = f"unknown context {', '.join(unknown)}; allowed: local, {', '.join(sorted(cls.model_fields))}"
            raise ConfigError(message)
        stage = str(values.get("stage", ""))
        try:
            return cls.model_validate({**STAGES.get(stage, {}), **values})
        except ValidationError as error:
            lines = [
                f"-c {'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}; received {e['input']!r}"
                for e in error.errors()
            ]
            raise ConfigError("; ".join(lines)) from error


MAY_BE_NONE = frozenset(
    name for name, field in StageConfig.model_fields.items() if field.default is None and not field.is_required()
)


def own_context(context: Mapping[str, object]) -> dict[str, object]:
    """The part of an app's context that belongs to the stage."""
    others = ("@", "aws:", "aws-cdk:", "availability-zones:")
    return {name: value for name, value in context.items() if not name.startswith(others) and name != "local"}


def _read(name: str, value: object) -> object:
    """Context from the command line is text; literals of numbers, tuples and None accept no text."""
    if value == NONE and name in MAY_BE_NONE:
        return None
    if name == "log_retention_days" and isinstance(value, str) and value.isdigit():
        return int(value)
    if name in {"subnet_ids", "security_group_ids"} and isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
