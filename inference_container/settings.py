"""The container's environment as one typed value; the CDK stack constructs it, the server reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class ContainerSettings(BaseModel):
    """Names and limits the container runs with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    JOBS_BUCKET: str
    ASSETS_BUCKET: str
    JOBS_TABLE: str
    STACK: str = ""
    """Dimension of the metrics in the log."""
    GPU_PRICE_PER_HOUR: float = Field(default=0.0, ge=0)
    """US dollars for an hour of one GPU of the instance; 0: not known, then no cost is told."""
    CACHE_DIR: Path = Path("/tmp/generate-on-cloud")  # noqa: S108 - the container's own scratch disk
    """The disk cache: on the fastest storage of the machine."""
    CACHE_MAX_BYTES: int = Field(default=100 * 1024**3, gt=0)
    MODEL_CACHE_MAX_BYTES: int = Field(default=24 * 1024**3, gt=0)
    """RAM the loaded models may take together; with a GPU, those that wait outside its memory, at most half of it."""
    DEVICE_CACHE_MAX_BYTES: int = Field(default=0, ge=0)
    """GPU memory the loaded models may take together; 0 is six tenths of it, the rest is for drawing."""
    DEVICE: Literal["auto", "cpu", "cuda"] = "auto"
    DTYPE: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    PRELOAD: str = Field(default="", pattern=r"^(assets/[^/]+/[^/]+)?$")
    """Key in the assets bucket of a checkpoint that is loaded before the first job; `/ping` does not wait for it."""
    COMPILE_UNET: bool = False
    """Compile the UNet's repeated blocks on a GPU: worth it for many pictures of few sizes."""
    WORKERS: int = Field(default=1, ge=1, le=16)
    """Worker processes, one for each GPU; on a CPU they share it."""
    TIED: bool = False
    """End with the standard input: a worker of several goes when the process that started it does."""
    HEARTBEAT_SECONDS: float = Field(default=1.0, gt=0)
    MAX_REQUEST_BYTES: int = Field(default=256 * 1024**2, gt=0)
    """Size of a job request document, pictures in base64 included."""
    SHUTDOWN_SECONDS: float = Field(default=20.0, ge=0)
    """How long a running job may go on after SIGTERM; SageMaker kills 30 s after it."""
    HOST: str = "0.0.0.0"  # noqa: S104 - SageMaker reaches the container from outside
    PORT: int = 8080

    def environment(self) -> dict[str, str]:
        """As environment variables, values that differ from the default only."""
        return {
            name: str(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if field.is_required() or getattr(self, name) != field.default
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the variables named like the fields.

        Raises:
            pydantic.ValidationError: one is missing or malformed.
        """
        return cls.model_validate({name: environment[name] for name in cls.model_fields if name in environment})
