"""PNG pictures with and without an embedding in their text, for upload and container."""

import base64
import json
import zlib
from collections.abc import Mapping

from generate_on_cloud.contract.assets import AssetType

KEY = b"sd-ti-embedding\0"


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def _picture(kind: bytes = b"tEXt", data: bytes = b"") -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(kind, data) + _chunk(b"IDAT") + _chunk(b"IEND")


def _document(values: object) -> bytes:
    return base64.b64encode(json.dumps({"string_to_param": {"*": {"TORCHTENSOR": values}}}).encode())


ONE = _document([[0.5] * 768])
PICTURES: Mapping[str, tuple[bytes, str | None]] = {
    "without a text": (_picture(), "has no text chunk sd-ti-embedding"),
    "with another text": (_picture(data=b"parameters\0a cat"), "has no text chunk"),
    "with an embedding": (_picture(data=KEY + ONE), None),
    "with a packed embedding": (_picture(b"zTXt", KEY + b"\0" + zlib.compress(ONE)), None),
    "with a packed text in UTF-8": (_picture(b"iTXt", KEY + b"\1\0en\0a\0" + zlib.compress(ONE)), None),
    "with a plain text in UTF-8": (_picture(b"iTXt", KEY + b"\0\0\0\0" + ONE), None),
    "with a bomb": (_picture(b"zTXt", KEY + b"\0" + zlib.compress(bytes(2**26), 9)), "more than 8388608 characters"),
    "with what is not packed": (_picture(b"zTXt", KEY + b"\0abc"), "cannot be decompressed"),
    "with nothing under the key": (_picture(data=KEY), "has no text chunk"),
    "with a number beyond all": (_picture(data=KEY + _document([10**400])), "among its numbers"),
    "with an infinite number": (_picture(data=KEY + _document([float("inf")])), "'inf' among its numbers"),
    "with lists of two lengths": (_picture(data=KEY + _document([[1], [1, 2]])), "lists of 2 lengths, 2 deep"),
    "with lists five deep": (_picture(data=KEY + _document([[[[[1.0]]]]])), "lists of 1 lengths, 5 deep"),
    "with a text for a number": (_picture(data=KEY + _document([["a"] * 768])), "'a' among its numbers"),
    "with too many vectors": (_picture(data=KEY + _document([[1] * 768] * 76)), "has 76 vectors"),
    "with no vector": (_picture(data=KEY + _document([])), "has the shapes [[1, 0]]"),
}
"""Bytes, and the words that refuse them; None: taken."""
ROWS = {f"a picture {what}": (AssetType.EMBEDDING, "png", data, words) for what, (data, words) in PICTURES.items()}
