"""Each function's environment as one typed value; the CDK stack constructs it, the function reads it."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class FunctionSettings(BaseModel):
    """Fields are environment variables by the same name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def environment(self) -> dict[str, str]:
        """All fields as environment variables."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables named like the fields.

        Raises:
            pydantic.ValidationError: one is missing or malformed.
        """
        return cls.model_validate({name: environment[name] for name in cls.model_fields if name in environment})


class AccountSettings(FunctionSettings):
    """Of functions that read or count in the access table."""

    ACCESS_TABLE: str


class WebhookSettings(AccountSettings):
    JOBS_TABLE: str
    WEBHOOK_QUEUE_URL: str


class EndingSettings(WebhookSettings):
    """Of functions that end jobs."""

    JOBS_BUCKET: str


class AssetSettings(AccountSettings):
    """Of functions that end the work on assets."""

    ASSETS_TABLE: str
    ASSETS_BUCKET: str


class ApiSettings(EndingSettings, AssetSettings):
    ENDPOINTS_TABLE: str
    ENDPOINT_NAME: str
    """The endpoint jobs go to that name none: the template's."""
    ENDPOINT_PREFIX: str
    """Begins the names of all endpoints of this stage."""
    ENDPOINT_GPUS: int = Field(default=1, gt=0)
    """Of all instances the template's endpoint may have."""
    ENDPOINT_KEEPER_FUNCTION: str
    INSPECTION_FUNCTION: str
    IMPORT_FUNCTION: str
    SERVICE_VERSION: str
    JOB_RETENTION_DAYS: int = Field(default=30, gt=0)
    GPU_PRICE_PER_HOUR: float = Field(default=0.0, ge=0)
    """US dollars for an hour of one GPU of an instance; 0: not known, usage then tells no cost."""


class JobEventsSettings(EndingSettings):
    STACK_NAME: str
    """Dimension of the metrics."""


class SweeperSettings(EndingSettings):
    STACK_NAME: str
    """Dimension of the metrics."""


class EndpointKeeperSettings(FunctionSettings):
    ENDPOINTS_TABLE: str


class AssetInspectionSettings(AssetSettings):
    pass


class AssetImportSettings(AssetSettings):
    INSPECTION_FUNCTION: str


class FirstKeySettings(AccountSettings):
    SECRET_ARN: str
    """Secrets Manager secret that receives the first admin key."""
