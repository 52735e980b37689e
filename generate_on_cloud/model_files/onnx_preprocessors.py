"""ONNX networks of ControlNet's preprocessors, told apart by what they take and give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.onnx_graphs import Axes, read_onnx_graph
from generate_on_cloud.model_files.ranges import ByteSource
from generate_on_cloud.model_files.refusals import RefusedFileError

MAX_BYTES = 2**30
MAX_SIDE = 1280
STRIDES = (8, 16, 32)
"""Of the three grids whose places YOLOX judges."""
POINTS = 133
"""Points that DWPose finds: of the body, the feet, the face and the hands."""
BINS = 2
"""Places per pixel that it tells apart."""
JUDGED = 85
"""What YOLOX says of each place: a box, how sure it is of one, and how sure of each of COCO's 80 classes."""


@dataclass(frozen=True)
class OnnxPreprocessor:
    """What a file holds, and the size of the pictures that it sees."""

    family: Family
    width: int
    height: int
    outputs: tuple[Axes, ...]
    """The shapes that it gives, None for the number of pictures."""

    def gives(self, outputs: Sequence[Axes]) -> bool:
        """Whether these are its outputs; lengths that are not known fit."""
        return _agree(outputs, self.outputs)


def read_onnx_preprocessor(source: ByteSource) -> OnnxPreprocessor:
    """What an ONNX file of a preprocessor holds.

    Raises:
        BrokenFileError: it is not a complete ONNX model.
        RefusedFileError: it is not harmless, or not a network of a preprocessor.
    """
    if source.size > MAX_BYTES:
        raise RefusedFileError(f"it has {source.size} bytes; allowed for a network in ONNX: {MAX_BYTES}")
    graph = read_onnx_graph(source)
    taken = list(graph.inputs.values())
    if len(taken) == 1 and len(taken[0]) == 4 and taken[0][1] == 3:
        height, width = taken[0][2:]
        if height and width and max(height, width) <= MAX_SIDE:
            for family, given in _given(width, height).items():
                if _agree(list(graph.outputs.values()), given):
                    return OnnxPreprocessor(family, width, height, given)
    raise RefusedFileError(
        f"its network takes {_words(graph.inputs)} and gives {_words(graph.outputs)}; allowed in ONNX: "
        f"{Family.PERSON_DETECTOR} (yolox_l.onnx), {Family.WHOLE_BODY} (dw-ll_ucoco_384.onnx)"
    )


def _given(width: int, height: int) -> dict[Family, tuple[Axes, ...]]:
    """The outputs of each network that sees pictures of this size."""
    places = sum((width // stride) * (height // stride) for stride in STRIDES)
    known: dict[Family, tuple[Axes, ...]] = {
        Family.WHOLE_BODY: ((None, POINTS, BINS * width), (None, POINTS, BINS * height))
    }
    if width == height and width % STRIDES[-1] == 0:
        known[Family.PERSON_DETECTOR] = ((None, places, JUDGED),)
    return known


def _agree(outputs: Sequence[Axes], given: Sequence[Axes]) -> bool:
    return [len(axes) for axes in outputs] == [len(axes) for axes in given] and all(
        own is None or wanted is None or own == wanted
        for axes, expected in zip(outputs, given, strict=True)
        for own, wanted in zip(axes, expected, strict=True)
    )


def _words(values: Mapping[str, Axes]) -> str:
    shown = ["[" + ", ".join("?" if one is None else str(one) for one in axes) + "]" for axes in values.values()][:4]
    return " and ".join(shown) or "nothing"
