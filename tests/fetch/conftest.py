"""Sites on this machine for the tests of what fetches by URL."""

from collections.abc import Iterator

import pytest

from tests.fetch.local_sites import Sites, open_sites


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with open_sites(tmp_path_factory.mktemp("sites")) as sites:
        yield sites


@pytest.fixture
def sites(server: Sites) -> Sites:
    server.forget()
    return server
