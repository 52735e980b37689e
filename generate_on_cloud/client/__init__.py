"""Typed Python client of the Generate on Cloud REST API; `goc` is its command."""

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import (
    CloudError,
    ConnectionLostError,
    JobNotSucceededError,
    ProblemError,
    TransferError,
)

__all__ = [
    "CloudError",
    "ConnectionLostError",
    "GenerateOnCloud",
    "JobNotSucceededError",
    "ProblemError",
    "TransferError",
]
