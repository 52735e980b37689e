"""Texts as editors on Windows write them: with a byte order mark."""

import pytest

from lambdas.json_documents import read_document


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_document_may_begin_with_a_byte_order_mark(mark: bytes) -> None:
    assert read_document(mark + b'{"prompt": "a"}') == {"prompt": "a"}
