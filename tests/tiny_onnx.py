"""ONNX networks that always give the same answers, as in the files of ControlNet's preprocessors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from tests.synthetic_poses import SIDE, SIZE, detector_answers, whole_body_answers

Numbers = npt.NDArray[Any]


def answering(
    answers: Sequence[Numbers],
    seen: Sequence[int | str],
    *,
    nodes: Sequence[Any] = (),
    initializers: Sequence[Any] = (),
    last: str = "mean",
    said: Sequence[Sequence[int | str]] = (),
) -> bytes:
    """A network that sees pictures of the shape `seen` and gives `answers`, each after a first axis of one.

    The answers depend on `last`, a value of `nodes`; `said` are the shapes that the file says it gives.
    """
    made = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0), *nodes]
    made.append(helper.make_node("Mul", [last, "nothing"], ["zero"]))
    stored = [numpy_helper.from_array(np.zeros((), np.float32), "nothing"), *initializers]
    outputs = []
    for number, answer in enumerate(answers):
        stored.append(numpy_helper.from_array(answer[None].astype(np.float32), f"answer_{number}"))
        made.append(helper.make_node("Add", [f"answer_{number}", "zero"], [f"output_{number}"]))
        shape = said[number] if said else ["batch", *answer.shape]
        outputs.append(helper.make_tensor_value_info(f"output_{number}", TensorProto.FLOAT, shape))
    pictures = helper.make_tensor_value_info("input", TensorProto.FLOAT, list(seen))
    graph = helper.make_graph(made, "same", [pictures], outputs, stored)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("evil.ops", 1)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def yolox(height: int = 300, width: int = 200, **more: Any) -> bytes:
    """Sees two people in a picture of this size."""
    return answering([detector_answers(height, width)], [1, 3, SIDE, SIDE], **more)


def dwpose(**more: Any) -> bytes:
    return answering(whole_body_answers(), ["batch", 3, SIZE[1], SIZE[0]], **more)
