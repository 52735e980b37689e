"""Typed Python client of the Generate on Cloud REST API; `goc` is its command."""

from generate_on_cloud.client.cloud import GenerateOnCloud, open_cloud
from generate_on_cloud.client.errors import (
    CloudError,
    ConnectionLostError,
    JobNotSucceededError,
    ProblemError,
    TransferError,
    WrongUrlError,
)

__all__ = [
    "CloudError",
    "ConnectionLostError",
    "GenerateOnCloud",
    "JobNotSucceededError",
    "ProblemError",
    "TransferError",
    "WrongUrlError",
    "open_cloud",
]
