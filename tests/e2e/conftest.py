"""One local cloud for all end-to-end tests of a run, with the real container and a tiny random checkpoint in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from local_cloud.settings import CONTAINER_COMMAND
from tests.tiny_checkpoint import write_tiny_checkpoint

REGION = "eu-central-1"
"""Not the one that is special to S3, as most users' regions are not."""
CHECKPOINT = "tiny.safetensors"


@contextmanager
def served_cloud(
    factory: pytest.TempPathFactory, *, container_command: tuple[str, ...] = CONTAINER_COMMAND
) -> Iterator[LocalCloud]:
    """A local cloud that has the checkpoint CHECKPOINT."""
    with LocalCloud(
        factory.mktemp("local-cloud"), region=REGION, record_requests=True, container_command=container_command
    ) as cloud:
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            folder: Path = factory.mktemp("models")
            service.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
        yield cloud


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with served_cloud(tmp_path_factory) as cloud:
        yield cloud


@pytest.fixture
def service(local_cloud: LocalCloud) -> Iterator[GenerateOnCloud]:
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as service:
        yield service
