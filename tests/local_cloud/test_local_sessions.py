"""Credentials of functions end, and so do the URLs they signed; the functions get new ones in time."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from generate_on_cloud.client.signed_urls import is_refused
from local_cloud.cloud import LocalCloud
from tests.local_cloud.tiny_stack import CONTAINER, Tiny


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, assembly: Path) -> Iterator[Tiny]:
    """Its functions' credentials live for two to four seconds."""
    state = tmp_path_factory.mktemp("hasty")
    with LocalCloud(state, assembly=assembly, container_command=CONTAINER, credential_seconds=2.0) as cloud:
        yield Tiny(cloud)


def signed_url(tiny: Tiny) -> str:
    """One that its own signature promises for an hour."""
    return str(httpx.get(f"{tiny.cloud.api_url}/", timeout=30).json()["signed"])


def test_a_signed_url_dies_with_the_credentials_that_signed_it_and_the_function_signs_another(hasty: Tiny) -> None:
    def accepted() -> str | None:
        """A new URL that storage takes; on a busy machine one may end before it is used."""
        fresh = signed_url(hasty)
        return fresh if httpx.put(fresh, content=b"red").status_code == 200 else None

    url = hasty.wait(accepted, seconds=30)

    stale = hasty.wait(lambda: answer if (answer := httpx.put(url, content=b"red")).is_error else None, seconds=30)
    again = hasty.wait(accepted, seconds=30)

    assert again != url
    assert "X-Amz-Expires=3600" in url
    assert is_refused(stale)


def test_a_url_that_was_signed_before_a_restart_is_good_after_it(tiny: Tiny) -> None:
    url = signed_url(tiny)

    tiny.cloud.restart()

    assert httpx.put(url, content=b"red").status_code == 200
