"""Fixtures of the panel's quick tests."""

from collections.abc import Iterator

import pytest

from tests.webui_extension.service import Service, running_service


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as service:
        yield service
