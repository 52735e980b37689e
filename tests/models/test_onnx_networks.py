"""An ONNX network of a preprocessor runs in a child process, whose costs cost the job and not the worker."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.family_names import Family
from inference_container.models import onnx_networks
from inference_container.models.files import ModelFile
from inference_container.models.onnx_networks import load_onnx_network
from tests.synthetic_poses import SIDE, SIZE, detector_answers, whole_body_answers
from tests.tiny_onnx import answering, dwpose, yolox

SQUARE = np.zeros((1, 3, SIDE, SIDE), np.float32)


def loaded(folder: Path, network: bytes, family: Family = Family.PERSON_DETECTOR) -> Any:
    path = folder / "network.onnx"
    path.write_bytes(network)
    return load_onnx_network(ModelFile(AssetType.PREPROCESSOR, path.name, path, ""), family)


def test_each_picture_is_seen_by_itself_wherever_the_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = loaded(tmp_path, dwpose(), Family.WHOLE_BODY)
    monkeypatch.chdir(tmp_path)

    across, down = network.answers(np.zeros((3, 3, SIZE[1], SIZE[0]), np.float32))

    wanted = whole_body_answers()
    assert network.size == SIZE
    assert (across == np.stack([wanted[0]] * 3)).all()
    assert (down == np.stack([wanted[1]] * 3)).all()


def multiplied(times: int) -> dict[str, Any]:
    """Nodes that multiply large matrices so many times."""
    size = numpy_helper.from_array(np.array([3000, 3000]), "size")
    nodes = [helper.make_node("Mul", ["mean", "none"], ["one"]), helper.make_node("Expand", ["one", "size"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{one}", f"m{one}"], [f"m{one + 1}"]) for one in range(times)]
    nodes += [helper.make_node("ReduceMax", [f"m{times}"], ["most"], keepdims=0)]
    nodes += [helper.make_node("Add", ["most", "mean"], ["more"])]
    return {"nodes": nodes, "initializers": [size, numpy_helper.from_array(np.zeros((), np.float32), "none")]}


def expanded() -> dict[str, Any]:
    """Nodes that take 2^36 numbers."""
    size = numpy_helper.from_array(np.array([2**18, 2**18]), "size")
    nodes = [helper.make_node("Expand", ["mean", "size"], ["huge"])]
    return {"nodes": [*nodes, helper.make_node("ReduceMax", ["huge"], ["more"])], "initializers": [size]}


@pytest.mark.parametrize(
    ("more", "seconds", "words"),
    [
        (multiplied(2000), -8, "its network cannot be run in 2 seconds of a processor and 6144 MiB of memory"),
        (expanded(), 60, "its network cannot be run"),
    ],
    ids=["time", "memory"],
)
def test_a_network_that_costs_too_much_costs_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], seconds: int, words: str
) -> None:
    monkeypatch.setattr(onnx_networks, "CPU_SECONDS", seconds)
    network = loaded(tmp_path, answering([detector_answers(64, 64)], SQUARE.shape, last="more", **more))

    with pytest.raises(JobFailed, match=words) as failed:
        network.answers(SQUARE)

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


def test_a_network_that_waits_costs_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_networks, "MODULE", "tests.models.misbehaving_reader")
    monkeypatch.setattr(onnx_networks, "WALL_SECONDS", 0.5)
    network = loaded(tmp_path, yolox())
    network.file.path.write_bytes(b"wait")

    with pytest.raises(JobFailed, match="cannot be run in 70 seconds"):
        network.answers(SQUARE)


def test_outputs_unlike_those_that_the_file_says_are_refused(tmp_path: Path) -> None:
    network = loaded(tmp_path, answering([np.zeros((8, 85))], SQUARE.shape, said=[["batch", "places", "what"]]))

    with pytest.raises(JobFailed, match=r"outputs have the shapes \[\(1, 8, 85\)\], unlike what it says"):
        network.answers(SQUARE)


def test_a_network_that_the_runtime_does_not_know_is_refused_in_its_words(tmp_path: Path) -> None:
    node = helper.make_node("NoSuchOperator", ["mean"], ["more"])
    network = loaded(tmp_path, answering([detector_answers(64, 64)], SQUARE.shape, last="more", nodes=[node]))

    with pytest.raises(JobFailed, match=r"its network cannot be run: .*NoSuchOperator"):
        network.answers(SQUARE)


def test_a_file_with_the_other_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="it holds YOLOX, which finds people, not DWPose"):
        loaded(tmp_path, yolox(), Family.WHOLE_BODY)
