"""Local clouds with the small stack of `tiny_stack`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.cloud import LocalCloud
from tests.local_cloud.tiny_stack import CONTAINER, Tiny, template, write_assembly


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_assembly(tmp_path_factory.mktemp("assembly"), template())


@pytest.fixture
def tiny(tmp_path: Path, assembly: Path) -> Iterator[Tiny]:
    """A freshly started cloud of the test's own."""
    with LocalCloud(tmp_path / "state", assembly=assembly, container_command=CONTAINER) as cloud:
        yield Tiny(cloud)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[Tiny]:
    """One cloud for the tests that leave it as they found it."""
    state = tmp_path_factory.mktemp("cloud")
    with LocalCloud(state, assembly=assembly, container_command=CONTAINER) as cloud:
        yield Tiny(cloud)
