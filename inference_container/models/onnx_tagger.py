"""ONNX taggers like WD14: one archive with a network and the list of its tags (semantics §6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors
from PIL import Image

from generate_on_cloud.model_files.archive_contents import only_member, read_tag_rows
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.onnx_graphs import read_onnx_graph
from inference_container.interrogation.tagging import Tag
from inference_container.models.archive import Archive
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible, refusals_of
from inference_container.pictures.resampling import resample

GENERAL, CHARACTER, RATING = 0, 4, 9
"""Categories in a WD14 list of tags."""
THRESHOLDS = {GENERAL: 0.35, CHARACTER: 0.85}
"""The thresholds that WD14's authors use; other categories use that of general tags."""
MAX_SIDE = 2048
_REFUSALS = tuple(
    getattr(runtime_errors, name)
    for name in (
        "EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "ModelLoaded", "NoModel", "NoSuchFile",
        "NotImplemented", "RuntimeException",
    )
)  # fmt: skip


@dataclass(frozen=True)
class OnnxTagger:
    file: ModelFile
    session: Any
    """onnxruntime InferenceSession."""
    tags: tuple[Tag, ...]
    side: int
    """Side length in pixels of its square input."""
    bytes: int
    """Approximate memory that it takes."""

    def score(self, image: Image.Image) -> Sequence[float]:
        """Probabilities of the tags.

        The picture is flattened on white, padded to a white square, resized (bicubic) and passed as BGR in 0..255.

        Raises:
            JobFailed: asset_incompatible, if the network cannot be run.
        """
        shown = resample(pad_square(flatten_on_white(image)), (self.side, self.side), Image.Resampling.BICUBIC)
        pixels = np.asarray(shown, dtype=np.float32)[None, :, :, ::-1]
        name = self.session.get_inputs()[0].name
        try:
            (found,) = self.session.run(None, {name: np.ascontiguousarray(pixels)})
        except _REFUSALS as error:
            raise incompatible(self.file, f"its network cannot be run: {_first_line(error)}") from error
        if found.shape != (1, len(self.tags)):
            raise incompatible(
                self.file, f"its network's output has the shape {list(found.shape)}; expected [1, {len(self.tags)}]"
            )
        scores = found[0].astype(np.float64)
        if scores.min() < 0 or scores.max() > 1:
            # These are logits: some networks leave the final sigmoid to the caller.
            scores = 1 / (1 + np.exp(-scores))
        probabilities: list[float] = scores.tolist()
        return probabilities


def flatten_on_white(image: Image.Image) -> Image.Image:
    """The picture as RGB, with white behind transparent parts."""
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layered).convert("RGB")


def pad_square(image: Image.Image) -> Image.Image:
    """The picture centred on a white square whose side is the picture's longer side."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def load_onnx_tagger(archive: Archive) -> OnnxTagger:
    """Load the single .onnx and the single .csv of an archive; the network is checked before the runtime loads it.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible; the message names the error.
    """
    with refusals_of(archive.file):
        model_name, list_name = only_member(archive.members, ".onnx"), only_member(archive.members, ".csv")
    tags = read_tags(archive.file, archive.text(list_name))
    size = archive.members[model_name].file_size
    with archive.unpacked(model_name) as file:
        data = file.path.read_bytes()
    with refusals_of(archive.file):
        read_onnx_graph(MemoryBytes(data))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        raise incompatible(archive.file, f"its network cannot be loaded: {_first_line(error)}") from error
    side = _side(archive.file, session)
    return OnnxTagger(archive.file, session, tags, side, bytes=2 * size)


def read_tags(file: ModelFile, text: str) -> tuple[Tag, ...]:
    """Read the columns `name` and `category` of a `selected_tags.csv`.

    Raises:
        JobFailed: asset_incompatible, if the text is not such a table.
    """
    with refusals_of(file):
        rows = read_tag_rows(text)
    return tuple(Tag(name, THRESHOLDS.get(kind, THRESHOLDS[GENERAL]), rating=kind == RATING) for name, kind in rows)


def _side(file: ModelFile, session: Any) -> int:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = list(inputs[0].shape) if len(inputs) == 1 else [f"{len(inputs)} inputs"]
    square = len(shape) == 4 and shape[1] == shape[2] and isinstance(shape[1], int) and 0 < shape[1] <= MAX_SIDE
    if not square or shape[3] != 3 or inputs[0].type != "tensor(float)" or len(outputs) != 1:
        raise incompatible(
            file,
            f"its network takes {shape} of {inputs[0].type if inputs else 'nothing'} and gives {len(outputs)} outputs; "
            "expected [1, side, side, 3] of tensor(float) and one output",
        )
    return int(shape[1])


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:300]
