"""A service in this process for the quick rows, and one local cloud with a collector for the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.lambdas.cloud import Aws, Cloud, open_cloud
from tests.lambdas.conftest import aws, fleet
from tests.otlp_receiver import Collector, open_collector
from tests.tiny_checkpoint import write_tiny_checkpoint

CHECKPOINT = "tiny.safetensors"
__all__ = ["CHECKPOINT", "aws", "fleet"]


@pytest.fixture
def cloud(aws: Aws) -> Iterator[Cloud]:
    with open_cloud(aws) as opened:
        opened.checkpoint()
        yield opened


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[LocalCloud]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with LocalCloud(
        tmp_path_factory.mktemp("features"), container_environment=environment,
        context={"otlp_endpoint": collector.url},
    ) as opened:  # fmt: skip
        with GenerateOnCloud(opened.api_url, opened.admin_key) as service:
            folder: Path = tmp_path_factory.mktemp("models")
            service.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
        yield opened


@pytest.fixture
def service(local_cloud: LocalCloud) -> Iterator[GenerateOnCloud]:
    with GenerateOnCloud(local_cloud.api_url, local_cloud.admin_key) as opened:
        yield opened
