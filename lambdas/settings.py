"""Each function's environment as one typed value; the CDK stack constructs it and the function reads it."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from generate_on_cloud.contract.endpoints import DEFAULT_IDLE_MINUTES


class FunctionSettings(BaseModel):
    """Each field is an environment variable of the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def environment(self) -> dict[str, str]:
        """All fields as environment variables."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the environment variables named like the fields.

        Raises:
            pydantic.ValidationError: one is missing or malformed.
        """
        return cls.model_validate({name: environment[name] for name in cls.model_fields if name in environment})


class AccountSettings(FunctionSettings):
    """For functions that read or count in the access table."""

    ACCESS_TABLE: str


class WebhookSettings(AccountSettings):
    JOBS_TABLE: str
    WEBHOOK_QUEUE_URL: str


class EndingSettings(WebhookSettings):
    """For functions that finish jobs."""

    JOBS_BUCKET: str


class AssetSettings(AccountSettings):
    """For functions that finish uploads and imports."""

    ASSETS_TABLE: str
    ASSETS_BUCKET: str
    NONCOMMERCIAL_MODELS: bool = False
    """Take model files that are for non-commercial use only."""


class ApiSettings(EndingSettings, AssetSettings):
    ENDPOINTS_TABLE: str
    ENDPOINT_NAME: str
    """The template's endpoint, which takes jobs that name none if the user has no default."""
    ENDPOINT_PREFIX: str
    """Prefix of the names of all this stage's endpoints."""
    ENDPOINT_GPUS: int = Field(default=1, gt=0)
    """GPUs of the template's endpoint at its maximum number of instances."""
    MIN_INSTANCES: int = Field(default=0, ge=0)
    IDLE_MINUTES: int = Field(default=DEFAULT_IDLE_MINUTES, gt=0)
    """Both of the template's endpoint."""
    ENDPOINT_KEEPER_FUNCTION: str
    INSPECTION_FUNCTION: str
    IMPORT_FUNCTION: str
    SERVICE_VERSION: str
    JOB_RETENTION_DAYS: int = Field(default=30, gt=0)
    DELETED_MODELS_DAYS: int = Field(default=0, ge=0)
    """How long storage keeps the versions of deleted model files."""
    WAITING_REQUESTS: int = Field(default=4, ge=0)
    """Requests that may wait for a job at once."""
    KEY_REQUESTS_PER_MINUTE: int = Field(default=600, gt=0)
    """More requests with one key are refused until the next minute."""
    OTEL_EXPORTER_OTLP_ENDPOINT: str = ""
    """Where spans of requests go; OpenTelemetry's SDK reads it too. Empty: nowhere."""
    GPU_PRICE_PER_HOUR: float = Field(default=0.0, ge=0)
    """US dollars per hour for one GPU of an instance; 0: unknown, and usage then has no cost."""


class ConsoleSettings(FunctionSettings):
    STORAGE_ORIGINS: str
    """Origins of the buckets that the page may load from, separated by spaces."""


class SdapiSettings(FunctionSettings):
    API_FUNCTION: str
    """Name of the API's function, which is called without its gateway."""


class JobEventsSettings(EndingSettings):
    STACK_NAME: str
    """Dimension of the metrics."""


class SweeperSettings(EndingSettings):
    STACK_NAME: str
    """Dimension of the metrics."""
    ENDPOINT_NAME: str
    """The template's endpoint, whose instances should sleep when it has no job."""
    DEAD_LETTER_QUEUES: str
    """URLs, separated by commas."""
    OLDEST_JOB_MINUTES: int = Field(gt=0)
    """A job that stays open this long is a problem."""


class EndpointKeeperSettings(AccountSettings):
    ENDPOINTS_TABLE: str
    ENDPOINT_NAME: str
    """The template's endpoint."""
    STACK_NAME: str
    """Name of the health metric."""
    MIN_INSTANCES: int = Field(ge=0)
    IDLE_MINUTES: int = Field(gt=0)
    """Both of the template's endpoint."""


class AssetInspectionSettings(AssetSettings):
    pass


class AssetImportSettings(AssetSettings):
    INSPECTION_FUNCTION: str


class FirstKeySettings(AccountSettings):
    KEY_PARAMETER: str
    """SecureString parameter that receives the first admin key."""
    ENCRYPTION_KEY: str = "alias/aws/ssm"
    """What encrypts it; AWS's own key unless the stage has one."""
