"""Model files for the browser tests: of any size, and never with the bytes of one that is in the cloud already."""

import hashlib
import json
from pathlib import Path

from demo_models.checkpoint import TRAINED

MIB = 1024**2


def stretched(file: Path, size: int) -> str:
    """Write a checkpoint of about `size` bytes, each block of it different; its SHA-256."""
    data = TRAINED.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    more = size - len(tensors)
    header["console_test.padding"] = {
        "dtype": "U8",
        "shape": [more],
        "data_offsets": [len(tensors), len(tensors) + more],
    }
    text = json.dumps(header).encode()
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for block in (len(text).to_bytes(8, "little"), text, tensors):
            out.write(block)
            digest.update(block)
        for number in range(0, more, MIB):
            block = (number.to_bytes(8, "little") * (MIB // 8))[: min(MIB, more - number)]
            out.write(block)
            digest.update(block)
    return digest.hexdigest()
