"""A corpus of hostile model files, each with the reason it is refused for, and the means to make more."""

import builtins
import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_safetensors

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode
from inference_container.models.files import ModelFile

CORRUPT, INCOMPATIBLE = JobErrorCode.ASSET_CORRUPT, JobErrorCode.ASSET_INCOMPATIBLE
MARKER = "something-ran"
"""The file that a payload of the corpus would make in the working directory."""


class Call:
    """Pickles to a call."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


RUN = f"touch {MARKER}"
EVAL = f"__import__('os').mkdir({MARKER!r})"


def saved(document: object, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(document, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


SOUND = saved({"x": torch.arange(4.0)})
LEGACY = saved({"state_dict": OrderedDict(x=torch.arange(4.0))}, zipped=False)


def resaved(
    changes: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED, *, without: str | None = None
) -> bytes:
    """A sound archive with members of it changed, put in and left out."""
    with zipfile.ZipFile(io.BytesIO(SOUND)) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != without}
    members |= changes or {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def instructions(body: bytes) -> bytes:
    return resaved({"archive/data.pkl": b"\x80\x02" + body + b"."})


def legacy_claiming(elements: int, *, stride: int = 1) -> bytes:
    """A file of before torch 1.6 whose tensor has as many elements as it likes, over a storage of four."""
    data = saved({"x": torch.arange(4.0)}, zipped=False)
    before = b"K\x00K\x04\x85q"
    assert data.count(before) == 1
    at = data.index(before)
    # Offset 0, then size and stride as LONG1 in tuples of one; the BINPUTs between are kept.
    rest = data[at + len(before) :]
    size = elements.to_bytes(8, "little")
    first, rest = rest[:1], rest[1:]
    assert rest.startswith(b"K\x01\x85q")
    return data[:at] + b"K\x00\x8a\x08" + size + b"\x85q" + first + b"K" + bytes([stride]) + rest[2:]


def header(text: str, data: bytes = b"\0" * 16, *, encoding: str = "utf-8") -> bytes:
    raw = text.encode(encoding)
    return len(raw).to_bytes(8, "little") + raw + data


def entry(shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


STORAGE = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4tQ"
"""Instructions that make the storage of four floats a sound archive has."""


def tensor(offset: int, size: int, stride: int) -> bytes:
    """Instructions that make a tensor of that storage."""
    place = bytes([*b"K", offset, *b"K", size, 0x85, *b"K", stride, 0x85])
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + place + b"\x89ccollections\nOrderedDict\n)RtR"


def entered(value: bytes) -> bytes:
    """Instructions for a dictionary whose `x` is what `value` makes."""
    return instructions(b"}X\1\0\0\0x" + value + b"s")


X = json.dumps(entry([4], 0, 16))
CORPUS: list[tuple[str, str, bytes, JobErrorCode, str]] = [
    ("os.system", "ckpt", saved(Call(os.system, RUN)), INCOMPATIBLE, "names 'posix.system'"),
    ("eval", "pt", saved({"x": Call(builtins.eval, EVAL)}), INCOMPATIBLE, "names 'eval'"),
    ("exec, nested", "ckpt", saved({"state_dict": {"a": [Call(exec, EVAL)]}}), INCOMPATIBLE, "names 'exec'"),
    ("getattr", "bin", saved({"x": Call(getattr, "", "join")}), INCOMPATIBLE, "names 'getattr'"),
    ("legacy", "ckpt", saved({"x": Call(os.system, RUN)}, zipped=False), INCOMPATIBLE, "names 'posix.system'"),
    ("bare pickle", "pth", pickle.dumps(Call(os.system, RUN), 2), INCOMPATIBLE, "names 'posix.system'"),
    ("new protocol", "pth", pickle.dumps(Call(os.system, RUN), 4), INCOMPATIBLE, "instruction FRAME"),
    ("data.pkl", "ckpt", instructions(b"cos\nsystem\nX\1\0\0\0a\x85R"), INCOMPATIBLE, "names 'os.system'"),
    ("INST", "ckpt", instructions(b"(X\1\0\0\0aios\nsystem\n"), INCOMPATIBLE, "instruction INST"),
    ("through a leftover", "ckpt", instructions(b"cnumpy.core.multiarray\nfrombuffer\n"), INCOMPATIBLE, "frombuffer"),
    ("bytearray bomb", "ckpt", saved({"x": Call(bytearray, 2**38)}), INCOMPATIBLE, "names 'bytearray'"),
    ("Tensor bomb", "ckpt", saved({"x": Call(torch.Tensor, 2**36)}), INCOMPATIBLE, "names 'torch.Tensor'"),
    (
        "encoding bomb",
        "ckpt",
        instructions(b"c_codecs\nencode\nc_codecs\nencode\nX\4\0\0\0aaaaX\3\0\0\0hex\x86RX\3\0\0\0hex\x86R"),
        INCOMPATIBLE,
        "unsupported text encoding",
    ),
    (
        "nested zip",
        "ckpt",
        resaved({"archive/inner.zip": SOUND}),
        INCOMPATIBLE,
        "unexpected archive member 'archive/inner.zip'",
    ),
    ("zip as pickle", "ckpt", resaved({"archive/data.pkl": SOUND}), CORRUPT, "not a complete pickle"),
    (
        "script",
        "pt",
        resaved({"archive/code/a.py": b"1"}),
        INCOMPATIBLE,
        "unexpected archive member 'archive/code/a.py'",
    ),
    ("parent", "ckpt", resaved({"../x": b""}), INCOMPATIBLE, "member"),
    ("parent inside", "ckpt", resaved({"archive/../../x": b""}), INCOMPATIBLE, r"'archive/\.\./\.\./x' lies outside"),
    ("absolute", "ckpt", resaved({"/etc/x": b""}), INCOMPATIBLE, "member"),
    ("drive", "ckpt", resaved({"c:/data.pkl": b""}), INCOMPATIBLE, "member"),
    ("bomb", "ckpt", resaved({"archive/data/1": bytes(2**20)}, zipfile.ZIP_DEFLATED), CORRUPT, "is compressed"),
    ("truncated zip", "ckpt", SOUND[:-40], CORRUPT, "not a complete zip"),
    ("no pickle", "ckpt", b"PK\x05\x06" + bytes(18), CORRUPT, "not a complete pickle"),
    ("truncated legacy", "ckpt", saved({"x": torch.ones(4)}, zipped=False)[:-8], CORRUPT, "is truncated"),
    ("truncated pickle", "ckpt", resaved({"archive/data.pkl": b"\x80\x02}"}), CORRUPT, "not a complete pickle"),
    ("missing storage", "ckpt", resaved(without="archive/data/0"), CORRUPT, "need 16 bytes in data/0, which has 0"),
    ("big byte order", "ckpt", resaved({"archive/byteorder": b"big"}), INCOMPATIBLE, "byte order is b'big'"),
    ("unknown byte order", "ckpt", resaved({"archive/byteorder": b"?" * 99}), INCOMPATIBLE, "byte order is"),
    ("huge legacy shape", "ckpt", legacy_claiming(2**33), CORRUPT, r"shape \[8589934592\] claims"),
    ("endless legacy shape", "ckpt", legacy_claiming(2**62), CORRUPT, "claims 18446744073709551616 bytes"),
    ("stride 0", "ckpt", legacy_claiming(2**40, stride=0), CORRUPT, "claims 4398046511104 bytes"),
    ("expanded", "ckpt", saved({"x": torch.zeros(1).expand(2**40)}), CORRUPT, "claims 4398046511104 bytes"),
    ("expanded, deep", "pt", saved({"a": [(torch.zeros(1).expand(2**40),)]}), CORRUPT, "claims 4398046511104 bytes"),
    ("short storage", "ckpt", resaved({"archive/data/0": b"1234"}), CORRUPT, "need 16 bytes in data/0, which has 4"),
    ("outside its storage", "ckpt", entered(tensor(1, 4, 1)), CORRUPT, "extends beyond its storage of 16 bytes"),
    ("stepping out", "ckpt", entered(tensor(0, 2, 4)), CORRUPT, "extends beyond its storage of 16 bytes"),
    (
        "set again",
        "ckpt",
        entered(tensor(0, 4, 1) + b"(" + STORAGE + b"K\0\x8a\6" + bytes([0, 0, 0, 0, 0, 1]) + b"\x85K\0\x85tb"),
        INCOMPATIBLE,
        "changes 'Tensor'",
    ),
    (
        "two sizes",
        "ckpt",
        entered(b"(" + tensor(0, 4, 1) + tensor(0, 4, 1).replace(b"cpuK\4", b"cpuK\5") + b"t"),
        CORRUPT,
        "storage '0' has two sizes",
    ),
    (
        "a storage made",
        "ckpt",
        entered(b"ctorch\nFloatStorage\nJ\0\0\0\x7f\x85R"),
        CORRUPT,
        "cannot be called with these arguments",
    ),
    ("bare dictionary", "pth", pickle.dumps({"x": 1}, 2), CORRUPT, "does not begin as torch's files do"),
    (
        "copied again and again",
        "ckpt",
        instructions(b"](" + b"K\1" * 100_000 + b"eq\0" + b"c__builtin__\nset\nh\0\x85R" * 200),
        INCOMPATIBLE,
        "copies more data with 'set' than any tensor file does",
    ),
    (
        "encoded again and again",
        "ckpt",
        instructions(
            b"X\0\0\x10\0" + bytes([97]) * 2**20 + b"q\0" + b"c_codecs\nencode\nh\0X\6\0\0\0latin1\x86R" * 2000
        ),
        INCOMPATIBLE,
        "copies more data with '_codecs.encode' than any tensor file does",
    ),
    ("huge header", "safetensors", (2**60).to_bytes(8, "little") + b"{}", CORRUPT, "header claims"),
    ("truncated", "safetensors", save_safetensors({"x": torch.ones(4)})[:-4], CORRUPT, "it is truncated"),
    (
        "overlap",
        "safetensors",
        header(json.dumps({"x": entry([4], 0, 16), "y": entry([2], 8, 16)})),
        CORRUPT,
        "cannot be read",
    ),
    (
        "huge shape",
        "safetensors",
        header(json.dumps({"x": entry([2**62, 4], 0, 16)})),
        CORRUPT,
        "tensor 'x' is malformed",
    ),
    ("negative", "safetensors", header(json.dumps({"x": entry([-4], 0, 16)})), CORRUPT, "tensor 'x' is malformed"),
    ("backwards", "safetensors", header(json.dumps({"x": entry([4], 16, 0)})), CORRUPT, "tensor 'x' is malformed"),
    ("twice", "safetensors", header(f'{{"x": {X}, "x": {X}}}'), CORRUPT, "names 'x' twice"),
    ("deep", "safetensors", header('{"a":' * 100_000), CORRUPT, "not JSON"),
    ("UTF-16", "safetensors", header(json.dumps({"x": entry([4], 0, 16)}), encoding="utf-16"), CORRUPT, "not JSON"),
    ("not a number", "safetensors", header(f'{{"x": {X}, "y": NaN}}'), CORRUPT, "not JSON"),
    ("a space first", "safetensors", header(f' {{"x": {X}}}'), CORRUPT, "not a JSON object"),
    ("half a character", "safetensors", header(f'{{"\\ud800": {X}}}'), CORRUPT, "not JSON"),
    (
        "endless zeros",
        "safetensors",
        header(json.dumps({"x": entry([2**62, 2**62, 0], 0, 0)}), b""),
        CORRUPT,
        "malformed",
    ),
    ("a pickle", "safetensors", SOUND, CORRUPT, "not a .safetensors file"),
]


def hostile(folder: Path, ending: str, data: bytes) -> ModelFile:
    path = folder / f"evil.{ending}"
    path.write_bytes(data)
    return ModelFile(AssetType.CHECKPOINT, path.name, path, "0" * 64)
