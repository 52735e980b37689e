"""Model files are read within bounds, whatever their bytes claim."""

import hashlib
import json
import os
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, open_tensor_file


def written(path: Path, data: bytes) -> ModelFile:
    path.write_bytes(data)
    return ModelFile(AssetType.CHECKPOINT, path.name, path, hashlib.sha256(data).hexdigest())


def with_header(path: Path, header: object, *, data: bytes = b"") -> ModelFile:
    raw = json.dumps(header).encode()
    return written(path, len(raw).to_bytes(8, "little") + raw + data)


def read_header(file: ModelFile) -> TensorFile:
    with open_tensor_file(file) as tensors:
        return tensors


def test_a_header_tells_shapes_and_metadata_without_reading_tensors(tmp_path: Path) -> None:
    entry = {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}
    file = with_header(tmp_path / "a.safetensors", {"__metadata__": {"k": "v"}, "x": entry}, data=bytes(12))

    header = read_header(file)

    assert dict(header.shapes) == {"x": (2, 3)}
    assert header.metadata == {"k": "v"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        ((2**63).to_bytes(8, "little") + b"{}", "claims 9223372036854775808 bytes"),
        ((500).to_bytes(8, "little") + b"{}", "claims 500 bytes"),
        ((4).to_bytes(8, "little") + b"abcd", "not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "not a JSON object"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "not JSON"),
    ],
)
def test_a_hostile_header_is_refused_as_corrupt(tmp_path: Path, data: bytes, reason: str) -> None:
    file = written(tmp_path / "evil.safetensors", data)

    with pytest.raises(JobFailed, match=reason) as failed:
        read_header(file)

    assert failed.value.error.code is JobErrorCode.ASSET_CORRUPT
    assert "evil.safetensors" in failed.value.error.message


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]},
        {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1]},
        "F32",
        None,
    ],
)
def test_a_tensor_that_does_not_lie_in_the_file_is_refused(tmp_path: Path, entry: object) -> None:
    file = with_header(tmp_path / "a.safetensors", {"x": entry}, data=bytes(4))

    with pytest.raises(JobFailed, match="tensor 'x'"):
        read_header(file)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 200), noise=st.binary(max_size=40))
def test_any_bytes_either_read_or_fail_as_corrupt(tmp_path: Path, cut: int, noise: bytes) -> None:
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    whole = with_header(tmp_path / "whole.safetensors", {"x": entry}, data=bytes(16)).path.read_bytes()
    file = written(tmp_path / "mangled.safetensors", whole[:cut] + noise)

    try:
        with open_tensor_file(file) as tensors:
            outcome: object = set(tensors.shapes)
    except JobFailed as failed:
        outcome = failed.error.code

    assert outcome in (set(), {"x"}, JobErrorCode.ASSET_CORRUPT)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has mapped")
def test_a_file_that_is_read_takes_no_memory_beside_its_tensors(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    file = with_header(tmp_path / "unmapped.safetensors", {"x": entry}, data=bytes(16))

    with open_tensor_file(file) as tensors:
        held = tensors.read("x")
        mapped = Path("/proc/self/maps").read_text()

    assert held.tolist() == [0.0] * 4
    assert file.path.name not in mapped


def test_a_ckpt_is_read_through_its_state_dict_and_training_leftovers_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"global_step": 7, "state_dict": OrderedDict(x=torch.arange(3.0), step=4)}, path)

    with open_tensor_file(ModelFile(AssetType.CHECKPOINT, path.name, path, "0" * 64)) as tensors:
        assert dict(tensors.shapes) == {"x": (3,)}
        assert tensors.read("x").tolist() == [0.0, 1.0, 2.0]


class Payload:
    """What a malicious pickle would do."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_code_in_it_is_refused_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {"x": torch.zeros(1)}, "boom": Payload(tmp_path / "was-here")}, path)

    with (
        pytest.raises(JobFailed, match=r"convert it to \.safetensors") as failed,
        open_tensor_file(ModelFile(AssetType.CHECKPOINT, path.name, path, "0" * 64)),
    ):
        pass

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x02.", b"PK\x03\x04 no archive"])
def test_a_ckpt_that_is_no_pickle_of_tensors_is_refused(tmp_path: Path, data: bytes) -> None:
    file = written(tmp_path / "broken.ckpt", data)

    with pytest.raises(JobFailed, match=r"broken\.ckpt"), open_tensor_file(file):
        pass


def test_a_compressed_archive_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1_000_000))

    with (
        pytest.raises(JobFailed, match="is compressed"),
        open_tensor_file(ModelFile(AssetType.CHECKPOINT, path.name, path, "0" * 64)),
    ):
        pass


@pytest.mark.parametrize("name", ["file.safetensors", "file.pt"])
def test_what_was_loaded_outlives_the_file_and_is_nobody_elses(tmp_path: Path, name: str) -> None:
    tensors = {"a": torch.arange(4.0), "b": torch.arange(4.0)}
    if name.endswith(".safetensors"):
        save_file(tensors, tmp_path / name)
    else:
        torch.save(tensors, tmp_path / name)

    with open_tensor_file(written(tmp_path / name, (tmp_path / name).read_bytes())) as opened:
        first, second = (opened.load("a", device=torch.device("cpu"), dtype=torch.float32) for _ in range(2))
    (tmp_path / name).write_bytes(b"\0" * (tmp_path / name).stat().st_size)
    first += 1

    assert second.tolist() == [0, 1, 2, 3]
    assert first.tolist() == [1, 2, 3, 4]
