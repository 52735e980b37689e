"""A corpus of hostile model files: each is refused with the reason, runs nothing and takes no memory it claims."""

import builtins
import io
import resource
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.pickle_names import ALLOWED, LEFTOVERS
from generate_on_cloud.model_files.refusals import RefusedFileError
from generate_on_cloud.model_files.safetensors_header import read_safetensors_header
from generate_on_cloud.model_files.saved_tensors import read_torch_file, tensor_shapes
from inference_container.models.tensor_file import open_tensor_file
from tests.models.hostile_files import (
    CORPUS,
    CORRUPT,
    EVAL,
    INCOMPATIBLE,
    LEGACY,
    MARKER,
    Call,
    hostile,
    instructions,
    resaved,
    saved,
)

MEMORY_SLACK = 256 * 1024
"""KiB a refusal may take at most; what the files claim is far beyond."""


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
    with pytest.raises(RefusedFileError, match=r"need 16 bytes in data/0, which has 4"):
        read_torch_file(MemoryBytes(resaved({"archive/data/0": b"1234"})))


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_is_taken_by_both(tmp_path: Path, zipped: bool) -> None:
    shared = torch.arange(6.0, dtype=torch.float16)
    document = {"a": shared[:4], "b": shared[3:], "c": torch.zeros(0), "d": torch.nn.Parameter(torch.ones(2, 3)),
                "e": torch.ones(2, 3).T, "f": torch.ones(1).expand(2), "g": torch.tensor(7)}  # fmt: skip
    data = saved(document, zipped=zipped)

    inspected = tensor_shapes(read_torch_file(MemoryBytes(data)).document)
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
        pytest.raises(JobFailed, match="refers to something other than tensors outside itself"),
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
