"""Fixtures of the Lambda tests."""

from collections.abc import Iterator

import pytest

from tests.fetch.local_sites import Sites, open_sites
from tests.lambdas.cloud import Aws, Cloud, open_aws, open_cloud
from tests.lambdas.fleet import Fleet


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as patched, open_aws(patched) as opened:
        yield opened


@pytest.fixture
def cloud(aws: Aws) -> Iterator[Cloud]:
    with open_cloud(aws) as opened:
        yield opened


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    opened = Fleet(cloud)
    yield opened
    opened.remove()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with open_sites(tmp_path_factory.mktemp("sites")) as sites:
        yield sites


@pytest.fixture
def sites(server: Sites) -> Sites:
    server.forget()
    return server
