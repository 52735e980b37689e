"""Every block that a reader may paste is run by a test, or the table says why not."""

import pytest

from tests.docs.code_blocks import RUN, blocks, exceptions, is_excepted, pages


@pytest.mark.parametrize("page", pages())
def test_every_block_of_a_page_is_run_or_excepted(page: str) -> None:
    left = [block.text for block in blocks(page) if block.language not in RUN.get(page, ()) and not is_excepted(block)]

    assert left == []


@pytest.mark.parametrize(("page", "start", "why"), list(exceptions()))
def test_every_exception_is_a_block_of_its_page(page: str, start: str, why: str) -> None:
    assert [block for block in blocks(page) if block.text.startswith(start)]
    assert why.strip()


def test_there_are_exceptions_and_pages_that_are_run() -> None:
    assert len(list(exceptions())) >= 3
    assert all(blocks(page) for page in RUN)
