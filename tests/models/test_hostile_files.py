"""A corpus of hostile model files: each is refused with the reason, runs nothing and takes no memory it claims."""

import builtins
import io
import json
import os
import pickle
import resource
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_safetensors

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.pickle_names import ALLOWED, LEFTOVERS
from generate_on_cloud.model_files.ranges import RefusedFileError
from generate_on_cloud.model_files.safetensors_header import read_safetensors_header
from generate_on_cloud.model_files.saved_tensors import read_torch_file, tensor_shapes
from inference_container.models.files import ModelFile
from inference_container.models.pickle_check import BrokenFileError, check_tensor_sizes
from inference_container.models.tensor_file import open_tensor_file

CORRUPT, INCOMPATIBLE = JobErrorCode.ASSET_CORRUPT, JobErrorCode.ASSET_INCOMPATIBLE
MARKER = "something-ran"
"""The file that a payload of the corpus would make in the working directory."""
MEMORY_SLACK = 256 * 1024
"""KiB a refusal may take at most; what the files claim is far beyond."""


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


def header(text: str, data: bytes = b"\0" * 16) -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + data


def entry(shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


X = json.dumps(entry([4], 0, 16))
CORPUS: list[tuple[str, str, bytes, JobErrorCode, str]] = [
    ("os.system", "ckpt", saved(Call(os.system, RUN)), INCOMPATIBLE, "names 'posix.system'"),
    ("eval", "pt", saved({"x": Call(builtins.eval, EVAL)}), INCOMPATIBLE, "names 'eval'"),
    ("exec, nested", "ckpt", saved({"state_dict": {"a": [Call(exec, EVAL)]}}), INCOMPATIBLE, "names 'exec'"),
    ("getattr", "bin", saved({"x": Call(getattr, "", "join")}), INCOMPATIBLE, "names 'getattr'"),
    ("legacy", "ckpt", saved({"x": Call(os.system, RUN)}, zipped=False), INCOMPATIBLE, "names 'posix.system'"),
    ("bare pickle", "pth", pickle.dumps(Call(os.system, RUN), 2), INCOMPATIBLE, "names 'posix.system'"),
    ("new protocol", "pth", pickle.dumps(Call(os.system, RUN), 4), INCOMPATIBLE, "instruction STACK_GLOBAL"),
    ("data.pkl", "ckpt", instructions(b"cos\nsystem\nX\1\0\0\0a\x85R"), INCOMPATIBLE, "names 'os.system'"),
    ("INST", "ckpt", instructions(b"(S'a'\nios\nsystem\n"), INCOMPATIBLE, "instruction INST"),
    ("through a leftover", "ckpt", instructions(b"cnumpy.core.multiarray\nfrombuffer\n"), INCOMPATIBLE, "frombuffer"),
    ("bytearray bomb", "ckpt", saved({"x": Call(bytearray, 2**38)}), INCOMPATIBLE, "names 'bytearray'"),
    ("Tensor bomb", "ckpt", saved({"x": Call(torch.Tensor, 2**36)}), INCOMPATIBLE, "names 'torch.Tensor'"),
    (
        "encoding bomb",
        "ckpt",
        instructions(b"c_codecs\nencode\nq\0c_codecs\nencode\nC\4aaaaX\3\0\0\0hex\x86RX\3\0\0\0hex\x86R"),
        INCOMPATIBLE,
        "encodes texts",
    ),
    ("nested zip", "ckpt", resaved({"archive/inner.zip": SOUND}), INCOMPATIBLE, "'archive/inner.zip' is none"),
    ("zip as pickle", "ckpt", resaved({"archive/data.pkl": SOUND}), CORRUPT, "no complete pickle"),
    ("script", "pt", resaved({"archive/code/a.py": b"1"}), INCOMPATIBLE, "'archive/code/a.py' is none"),
    ("parent", "ckpt", resaved({"../x": b""}), INCOMPATIBLE, "member"),
    ("parent inside", "ckpt", resaved({"archive/../../x": b""}), INCOMPATIBLE, r"'archive/\.\./\.\./x' is none"),
    ("absolute", "ckpt", resaved({"/etc/x": b""}), INCOMPATIBLE, "member"),
    ("drive", "ckpt", resaved({"c:/data.pkl": b""}), INCOMPATIBLE, "member"),
    ("bomb", "ckpt", resaved({"archive/data/1": bytes(2**20)}, zipfile.ZIP_DEFLATED), CORRUPT, "is compressed"),
    ("truncated zip", "ckpt", SOUND[:-40], CORRUPT, "no complete zip"),
    ("no pickle", "ckpt", b"PK\x05\x06" + bytes(18), CORRUPT, "no complete pickle"),
    ("truncated legacy", "ckpt", saved({"x": torch.ones(4)}, zipped=False)[:-8], CORRUPT, "no complete pickle"),
    ("truncated pickle", "ckpt", resaved({"archive/data.pkl": b"\x80\x02}"}), CORRUPT, "no complete pickle"),
    ("missing storage", "ckpt", resaved(without="archive/data/0"), CORRUPT, "no complete pickle"),
    ("big byte order", "ckpt", resaved({"archive/byteorder": b"big"}), INCOMPATIBLE, "byte order is b'big'"),
    ("unknown byte order", "ckpt", resaved({"archive/byteorder": b"?" * 99}), INCOMPATIBLE, "byte order is"),
    ("huge legacy shape", "ckpt", legacy_claiming(2**33), CORRUPT, r"shape \[8589934592\] claims|no complete pickle"),
    ("endless legacy shape", "ckpt", legacy_claiming(2**62), CORRUPT, "no complete pickle"),
    ("stride 0", "ckpt", legacy_claiming(2**40, stride=0), CORRUPT, "claims 4398046511104 bytes"),
    ("expanded", "ckpt", saved({"x": torch.zeros(1).expand(2**40)}), CORRUPT, "claims 4398046511104 bytes"),
    ("expanded, deep", "pt", saved({"a": [(torch.zeros(1).expand(2**40),)]}), CORRUPT, "claims 4398046511104 bytes"),
    ("huge header", "safetensors", (2**60).to_bytes(8, "little") + b"{}", CORRUPT, "header claims"),
    ("truncated", "safetensors", save_safetensors({"x": torch.ones(4)})[:-4], CORRUPT, "not lie inside the file"),
    (
        "overlap",
        "safetensors",
        header(json.dumps({"x": entry([4], 0, 16), "y": entry([2], 8, 16)})),
        CORRUPT,
        "cannot be read",
    ),
    ("huge shape", "safetensors", header(json.dumps({"x": entry([2**62, 4], 0, 16)})), CORRUPT, "not lie inside"),
    ("negative", "safetensors", header(json.dumps({"x": entry([-4], 0, 16)})), CORRUPT, "not lie inside"),
    ("backwards", "safetensors", header(json.dumps({"x": entry([4], 16, 0)})), CORRUPT, "not lie inside"),
    ("twice", "safetensors", header(f'{{"x": {X}, "x": {X}}}'), CORRUPT, "names 'x' twice"),
    ("deep", "safetensors", header('{"a":' * 100_000), CORRUPT, "not JSON"),
    ("a pickle", "safetensors", SOUND, CORRUPT, "header claims"),
]


def hostile(folder: Path, ending: str, data: bytes) -> ModelFile:
    path = folder / f"evil.{ending}"
    path.write_bytes(data)
    return ModelFile(AssetType.CHECKPOINT, path.name, path, "0" * 64)


@pytest.mark.parametrize("row", CORPUS, ids=[row[0] for row in CORPUS])
def test_a_hostile_file_is_refused_with_the_reason_and_neither_runs_nor_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str, bytes, JobErrorCode, str]
) -> None:
    _, ending, data, code, reason = row
    monkeypatch.chdir(tmp_path)
    file = hostile(tmp_path, ending, data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(JobFailed, match=reason) as failed, open_tensor_file(file) as tensors:
        list(tensors.shapes)

    assert failed.value.error.code is code
    assert "evil." in failed.value.error.message
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MEMORY_SLACK


@pytest.mark.parametrize("row", CORPUS, ids=[row[0] for row in CORPUS])
def test_a_hostile_file_is_refused_when_it_is_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str, bytes, JobErrorCode, str]
) -> None:
    _, ending, data, _, _ = row
    monkeypatch.chdir(tmp_path)
    read = read_safetensors_header if ending == "safetensors" else read_torch_file
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(RefusedFileError):
        read(MemoryBytes(data))

    assert list(tmp_path.iterdir()) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MEMORY_SLACK


def test_a_storage_shorter_than_its_tensors_is_refused_when_it_is_uploaded() -> None:
    with pytest.raises(RefusedFileError, match=r"need 16 bytes of data/0, there are 4"):
        read_torch_file(MemoryBytes(resaved({"archive/data/0": b"1234"})))


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_is_taken_by_both(tmp_path: Path, zipped: bool) -> None:
    shared = torch.arange(6.0, dtype=torch.float16)
    document = {"a": shared[:4], "b": shared[3:], "c": torch.zeros(0), "d": torch.nn.Parameter(torch.ones(2, 3)),
                "e": torch.ones(2, 3).T, "f": torch.ones(1).expand(2), "g": torch.tensor(7)}  # fmt: skip
    data = saved(document, zipped=zipped)

    inspected = tensor_shapes(read_torch_file(MemoryBytes(data)))
    with open_tensor_file(hostile(tmp_path, "ckpt", data)) as tensors:
        loaded = dict(tensors.shapes)

    assert inspected == loaded == {name: tuple(value.shape) for name, value in document.items()}


def test_the_payloads_of_the_corpus_do_run_where_a_pickle_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    torch.load(io.BytesIO(saved({"x": Call(builtins.eval, EVAL)})), weights_only=False)

    assert (tmp_path / MARKER).exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=3))
@example(changes=[(LEGACY.index(b"storage") + 40, ord("?"))])
def test_a_damaged_file_either_reads_or_is_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(LEGACY)
    for place, value in changes:
        data[place % len(data)] = value
    outcome: object = None

    try:
        with open_tensor_file(hostile(tmp_path, "ckpt", bytes(data))) as tensors:
            outcome = set(tensors.shapes)
    except JobFailed as failed:
        outcome = failed.error.code

    assert isinstance(outcome, set) or outcome in (CORRUPT, INCOMPATIBLE)


def test_a_list_that_holds_itself_is_looked_through_once() -> None:
    endless: list[object] = []
    endless.append(endless)

    check_tensor_sizes(endless, 0)
    endless.append(torch.zeros(1))

    with pytest.raises(BrokenFileError, match="claims 4 bytes of 0"):
        check_tensor_sizes(endless, 0)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "leftover",
    [
        np.int64(7),
        np.float64(0.5),
        np.dtype("float32"),
        np.arange(3.0),
        {"seen", "names"},
        OrderedDict(a=torch.float16),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_training_leaves_in_a_checkpoint_does_no_harm(tmp_path: Path, leftover: object, zipped: bool) -> None:
    file = hostile(
        tmp_path, "ckpt", saved({"global_step": leftover, "state_dict": {"x": torch.ones(2)}}, zipped=zipped)
    )

    with open_tensor_file(file) as tensors:
        assert dict(tensors.shapes) == {"x": (2,)}
        assert tensors.read("x").tolist() == [1.0, 1.0]


def test_a_dictionary_of_parameters_is_taken_from_an_archive_and_refused_with_its_source_code(tmp_path: Path) -> None:
    document = {"x": torch.ones(2), "parameters": torch.nn.ParameterDict({"a": torch.zeros(1)})}

    with open_tensor_file(hostile(tmp_path, "pt", saved(document))) as tensors:
        assert dict(tensors.shapes) == {"x": (2,)}
    with (
        pytest.raises(JobFailed, match="Only persistent_load of storage is allowed"),
        open_tensor_file(hostile(tmp_path, "pt", saved(document, zipped=False))),
    ):
        pass


@pytest.mark.parametrize("name", sorted(LEFTOVERS))
def test_a_leftover_is_an_inert_object_whatever_is_done_to_it(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    leftover = f"c{module}\n{attribute}\n".encode()
    # {"a": leftover(3) with state {"b": 1}, "c": leftover itself}
    body = b"}(X\1\0\0\0a" + leftover + b"K\3\x85R}X\1\0\0\0bK\1sbX\1\0\0\0c" + leftover + b"u"

    with open_tensor_file(hostile(tmp_path, "ckpt", instructions(body))) as tensors:
        assert dict(tensors.shapes) == {}


@pytest.mark.parametrize("name", [*sorted(ALLOWED), "bytearray", "torch.Tensor", "os.system", "numpy.load"])
def test_inspection_and_loading_take_and_refuse_the_same_names(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    data = instructions(f"}}X\1\0\0\0ac{module or 'builtins'}\n{attribute}\ns".encode())
    taken = []

    with suppress(RefusedFileError):
        read_torch_file(MemoryBytes(data))
        taken.append("inspection")
    with suppress(JobFailed), open_tensor_file(hostile(tmp_path, "ckpt", data)):
        taken.append("loading")

    assert taken == (["inspection", "loading"] if name in ALLOWED else [])
