"""Fixtures of the Lambda tests."""

from collections.abc import Iterator

import pytest

from tests.lambdas.cloud import Aws, Cloud, open_aws, open_cloud


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with pytest.MonkeyPatch.context() as patched, open_aws(patched) as opened:
        yield opened


@pytest.fixture
def cloud(aws: Aws) -> Iterator[Cloud]:
    with open_cloud(aws) as opened:
        yield opened
