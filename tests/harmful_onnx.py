"""ONNX networks that no machine should run, and the words that refuse them."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.synthetic_poses import SIDE
from tests.tiny_interrogation import external_tensor
from tests.tiny_onnx import answering, yolox

YES = numpy_helper.from_array(np.array(True), "yes")


def loop() -> Any:
    """A loop that would never end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    return helper.make_node("Loop", ["", "yes"], [], body=body)


def branching(*nodes: Any) -> Any:
    """A branch with these nodes and the same without."""
    said = helper.make_tensor_value_info("said", TensorProto.BOOL, [])
    same = helper.make_node("Identity", ["yes"], ["said"])
    branch, other = (helper.make_graph([*some, same], "branch", [], [said]) for some in (nodes, ()))
    return helper.make_node("If", ["yes"], ["chosen"], then_branch=branch, else_branch=other)


def nested(depth: int) -> Any:
    node = branching()
    for _ in range(depth):
        node = branching(node)
    return node


def constant() -> Any:
    """An operator with a tensor of another file."""
    return helper.make_node("Constant", [], ["constant"], value=external_tensor())


HARMFUL: tuple[tuple[str, bytes, str], ...] = (
    (
        "with tensors elsewhere",
        yolox(initializers=[external_tensor()]),
        "its network stores 'elsewhere' in another file",
    ),
    ("with a constant elsewhere", yolox(nodes=[constant()]), "its network stores 'elsewhere' in another file"),
    ("that loops", yolox(nodes=[loop()], initializers=[YES]), "the operator Loop, which may run forever"),
    (
        "that loops in a branch",
        yolox(nodes=[branching(loop())], initializers=[YES]),
        "the operator Loop, which may run",
    ),
    ("of deep branches", yolox(nodes=[nested(30)], initializers=[YES]), "graphs more than 16 deep in each other"),
    (
        "with operators of its own",
        yolox(nodes=[helper.make_node("Evil", ["mean"], ["bad"], domain="evil.ops")]),
        "its network has the operator evil.ops.Evil, which is not part of ONNX",
    ),
    ("cut in half", yolox()[:-40], "it is not a complete ONNX model"),
    ("of no bytes", b"\x08\x08", "it is not a complete ONNX model"),
    ("of two graphs", yolox() + yolox(), "it is not a complete ONNX model"),
    ("of many fields", b"\x3a\x00" * 300_000, "its network has more than 200000 fields"),
    (
        "that answers otherwise",
        answering([np.zeros((7, 85))], [1, 3, SIDE, SIDE]),
        "its network takes [1, 3, 640, 640] and gives [?, 7, 85]; allowed in ONNX: YOLOX, which finds people",
    ),
    (
        "that sees huge pictures",
        answering([np.zeros((7, 85))], [1, 3, 100_000, 100_000]),
        "its network takes [1, 3, 100000, 100000] and gives",
    ),
    (
        "that sees any picture",
        answering([np.zeros((7, 85))], [1, 3, "height", "width"]),
        "takes [1, 3, ?, ?] and gives",
    ),
)
