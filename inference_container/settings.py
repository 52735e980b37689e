"""The container's environment variables as one typed value, written by the CDK stack and read by the server."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from inference_container.allocator import DeviceName
from inference_container.cache_directory import DEFAULT

DtypeName = Literal["auto", "float32", "float16", "bfloat16"]


class ContainerSettings(BaseModel):
    """The container's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    JOBS_BUCKET: str
    ASSETS_BUCKET: str
    JOBS_TABLE: str
    STACK: str = ""
    """Value of the dimension `Stack` of the metrics in the log."""
    GPU_PRICE_PER_HOUR: float = Field(default=0.0, ge=0)
    """US dollars per hour for one GPU of the instance; 0 if unknown, then no cost is reported."""
    CACHE_DIR: Path = DEFAULT
    """The disk cache, which should be on the machine's fastest storage."""
    CACHE_MAX_BYTES: int = Field(default=100 * 1024**3, gt=0)
    MODEL_CACHE_MAX_BYTES: int = Field(default=24 * 1024**3, gt=0)
    """RAM in bytes for all loaded models; with a GPU, for models that wait in RAM, but at most half of the RAM."""
    DEVICE_CACHE_MAX_BYTES: int = Field(default=0, ge=0)
    """GPU memory in bytes for all loaded models; 0: six tenths of it, which leaves the rest for drawing."""
    DEVICE: DeviceName = "auto"
    DTYPE: DtypeName = "auto"
    PRELOAD: str = Field(default="", pattern=r"^(assets/[^/]+/[^/]+)?$")
    """Key of a checkpoint in the assets bucket to load before the first job; `/ping` does not wait for it."""
    COMPILE_UNET: bool = False
    """Whether to compile the UNet's repeated blocks on a GPU, which pays off for many pictures of few sizes."""
    WORKERS: int = Field(default=1, ge=1, le=16)
    """Number of worker processes: one for each GPU; on a CPU they share it."""
    TIED: bool = False
    """Whether to exit when standard input closes, as a pool's worker does when its parent process exits."""
    HEARTBEAT_SECONDS: float = Field(default=1.0, gt=0)
    MAX_REQUEST_BYTES: int = Field(default=256 * 1024**2, gt=0)
    """Maximum size of a job request document, including pictures in base64."""
    SHUTDOWN_SECONDS: float = Field(default=20.0, ge=0)
    """How long a running job may continue after SIGTERM; SageMaker kills the container after 30 s."""
    OTEL_EXPORTER_OTLP_ENDPOINT: str = ""
    """Where spans and metrics of jobs go by OTLP over HTTP; empty: nowhere. OpenTelemetry reads its other variables."""
    HOST: str = "0.0.0.0"  # noqa: S104 - SageMaker reaches the container from outside
    PORT: int = 8080

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, without those at their defaults."""
        return {
            name: str(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if field.is_required() or getattr(self, name) != field.default
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the environment variables with the fields' names.

        Raises:
            pydantic.ValidationError: a variable is missing or malformed.
        """
        return cls.model_validate({name: environment[name] for name in cls.model_fields if name in environment})
