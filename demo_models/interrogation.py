"""Exports the family's interrogator and taggers in users' formats: safetensors, and an archive with an ONNX network."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor

from demo_models.captioner import VOCABULARY, load_captioner
from demo_models.captions import WORDS
from demo_models.clip import LISTS, load_clip
from demo_models.export import CONFIG_KEY, write_manifest
from demo_models.tagger import INPUT_SIDE, TAGS, list_kernels
from demo_models.tokenizer import build_files
from inference_container.models.deepdanbooru import BlockPlan, plan_blocks

WEIGHTS = Path(__file__).parent / "weights"
INTERROGATOR = WEIGHTS / "interrogator.safetensors"
TAGGER = WEIGHTS / "tagger.safetensors"
ONNX_TAGGER = WEIGHTS / "tagger-onnx.zip"
GENERAL = 0
"""The category of all tags in our WD14 list."""


def export_interrogation(trained: Path) -> None:
    """Write the interrogator and both taggers from the folder `trained` to where the demo and the tests find them."""
    export_interrogator(trained, INTERROGATOR)
    export_taggers(trained, TAGGER, ONNX_TAGGER)


def export_interrogator(trained: Path, file: Path) -> None:
    """Write caption model, CLIP and word lists from the folder `trained` as one half-precision file."""
    captioner = load_captioner(trained / "captioner")
    clip, _ = load_clip(trained / "clip", text_folder=trained / "text")
    words = build_files(WORDS)
    texts: dict[str, object] = {
        "caption/config.json": _config(captioner),
        "caption/vocab.txt": "\n".join(VOCABULARY) + "\n",
        "clip/config.json": _config(clip),
        "clip/vocab.json": words["vocab.json"],
        "clip/merges.txt": words["merges.txt"],
    }
    texts |= {f"lists/{name}.txt": "\n".join(phrases) + "\n" for name, phrases in LISTS.items()}
    state = _halved(captioner.state_dict(), "caption.") | _halved(clip.state_dict(), "clip.")
    # Saved once, because the loader ties it to the word embeddings.
    del state["caption.text_decoder.cls.predictions.decoder.weight"]
    _save(state, file, texts)


def export_taggers(trained: Path, file: Path, archive: Path) -> None:
    """Write the tagger from the folder `trained` as a packed file and as an archive like WD14's."""
    state: dict[str, Tensor] = torch.load(trained / "tagger" / "tagger.pt", weights_only=True)
    _save(_halved(state, ""), file, {"tags.txt": "\n".join(TAGS) + "\n"})
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(["tag_id", "name", "category", "count"])
    table.writerows([number, tag, GENERAL, 0] for number, tag in enumerate(TAGS))
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in (("model.onnx", build_onnx(state)), ("selected_tags.csv", rows.getvalue().encode())):
            # Without the current time, so that equal weights give equal files.
            opened.writestr(zipfile.ZipInfo(name), data)
    write_manifest(archive.parent)


def _config(model: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    return {key: value for key, value in document.items() if key not in {"_name_or_path", "transformers_version"}}


def _halved(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor.to(torch.float16).contiguous() for name, tensor in state.items()}


def _save(state: dict[str, Tensor], file: Path, texts: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file, metadata={CONFIG_KEY: json.dumps(texts, ensure_ascii=False)})
    write_manifest(file.parent)


class _Graph:
    """The network as ONNX nodes with weights in half precision."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state = state
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def keep(self, name: str, tensor: Tensor) -> str:
        self.weights.append(numpy_helper.from_array(tensor.to(torch.float16).numpy(), f"{name}.half"))
        return self.add("Cast", f"{name}.half", to=TensorProto.FLOAT)

    def convolve(self, x: str, number: int, *, stride: int = 1) -> str:
        weight, bias = self.state[f"n_Conv_{number}.weight"], self.state.get(f"n_Conv_{number}.bias")
        if number == 0:
            # The input of WD14 networks is BGR in 0..255.
            weight = weight.flip(1) / 255
        side = weight.shape[2]
        padding = max(side - stride, 0)
        before, after = padding // 2, padding - padding // 2
        kept = [self.keep(f"{number}.weight", weight)]
        kept += [] if bias is None else [self.keep(f"{number}.bias", bias)]
        return self.add("Conv", x, *kept, strides=[stride] * 2, pads=[before, before, after, after])

    def pass_block(self, x: str, plan: BlockPlan) -> str:
        inner = self.add("Relu", self.convolve(x, plan.reduce))
        inner = self.add("Relu", self.convolve(inner, plan.middle, stride=plan.stride))
        inner = self.convolve(inner, plan.expand)
        beside = x if plan.shortcut is None else self.convolve(x, plan.shortcut, stride=plan.stride)
        return self.add("Relu", self.add("Add", inner, beside))


def build_onnx(state: Mapping[str, Tensor]) -> bytes:
    """The network as a WD14 model: maps (1, side, side, 3), BGR in 0..255, to probabilities of the tags."""
    kernels = list_kernels()
    graph = _Graph(state)
    x = graph.add("Transpose", "pixels", perm=[0, 3, 1, 2])
    x = graph.add("Relu", graph.convolve(x, 0, stride=2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    for plan in plan_blocks(kernels):
        x = graph.pass_block(x, plan)
    x = graph.add("GlobalAveragePool", graph.convolve(x, len(kernels) - 1))
    graph.nodes.append(helper.make_node("Sigmoid", [graph.add("Flatten", x)], ["probabilities"]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "tagger",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, INPUT_SIDE, INPUT_SIDE, 3])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(TAGS)])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
