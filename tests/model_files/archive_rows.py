"""Archives for taggers and interrogators that are sound zips and hold nothing that a job can use."""

import io
import json
import zipfile
from collections.abc import Mapping

import torch
from safetensors.torch import save

from generate_on_cloud.contract.assets import AssetType
from tests.tiny_interrogation import WD_CSV, wd_network

Archived = tuple[AssetType, bytes, str]
"""Type, bytes, and the words that refuse it."""
BLIP, CLIP = json.dumps({"model_type": "blip"}), json.dumps({"model_type": "clip"})
WEIGHTS = save({"x": torch.zeros(2)})
FILE = "model.safetensors"
PARTS: Mapping[str, bytes | str] = {
    "a/config.json": BLIP,
    "a/vocab.txt": "x",
    "a/model.safetensors": WEIGHTS,
    "b/config.json": CLIP,
    "b/vocab.json": "{}",
    "b/merges.txt": "",
    "b/model.safetensors": WEIGHTS,
}


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def without(name: str) -> dict[str, bytes | str]:
    return {path: data for path, data in PARTS.items() if path != name}


def _taggers() -> Mapping[str, tuple[Mapping[str, bytes | str], str]]:
    onnx, tags = {"model.onnx": wd_network()}, {"selected_tags.csv": WD_CSV}
    return {
        "of texts": ({"readme.txt": "hello"}, "received .onnx files: none; allowed: one .onnx and one .csv"),
        "of no tags": (onnx, "received .csv files: none"),
        "of two networks": ({**onnx, "b.onnx": b"", **tags}, "received .onnx files: b.onnx, model.onnx"),
        "of an empty list": ({**onnx, "t.csv": "tag_id,name,category,count\n"}, "its list of tags is empty"),
        "of another list": ({**onnx, "t.csv": "a,b\n1,2\n"}, "line 2 of its list of tags has no name and category"),
        "of numbers that are none": (
            {**onnx, "t.csv": "name,category\nx,²\n"},
            "line 2 of its list of tags has no name",
        ),
        "of a list in another encoding": (
            {**onnx, "t.csv": "name,category\nx\xe9,0\n".encode("latin1")},
            "t.csv in it: 'utf-8'",
        ),
        "of no network": ({"model.onnx": b"hello", **tags}, "model.onnx in it: it is not a"),
        "of half a network": ({"model.onnx": wd_network()[:-9], **tags}, "model.onnx in it: it is not a complete ONNX"),
        "of zeros": ({"model.onnx": bytes(200_000_000), **tags}, "it unpacks to 200000"),
    }


def _interrogators() -> Mapping[str, tuple[Mapping[str, bytes | str], str]]:
    return {
        "of texts": ({"readme.txt": "hello"}, "it has no folder whose config.json says"),
        "of one model": (
            {name: data for name, data in PARTS.items() if name < "b"},
            '"model_type": "clip"; its models: a (blip)',
        ),
        "of another model": (
            {**PARTS, "a/config.json": '{"model_type": "bert"}'},
            '"model_type": "blip"; its models: a (bert)',
        ),
        "of no JSON": ({**PARTS, "a/config.json": "hello"}, "a/config.json in it is not JSON"),
        "of deep JSON": ({**PARTS, "a/config.json": "[" * 100_000}, "a/config.json in it is not JSON"),
        "of a list": ({**PARTS, "a/config.json": "[]"}, "a/config.json in it is not a JSON object"),
        "of bytes": ({**PARTS, "a/config.json": b"\xff\xfe{}"}, "a/config.json in it: 'utf-8' codec"),
        "without weights": (without("b/model.safetensors"), "it has no b/model.safetensors"),
        "without words": (without("a/vocab.txt"), "its folder 'a' has no vocab.txt"),
        "without merges": (without("b/merges.txt"), "its folder 'b' has no merges.txt"),
        "of other weights": (
            {**PARTS, "b/model.safetensors": b"hello" * 9},
            "b/model.safetensors in it: its header claims",
        ),
        "of half its weights": (
            {**PARTS, "a/model.safetensors": WEIGHTS[:-1]},
            "a/model.safetensors in it: it is truncated",
        ),
    }


ARCHIVES: Mapping[str, Archived] = {
    **{f"a zipped tagger {what}": (AssetType.TAGGER, zipped(one), words) for what, (one, words) in _taggers().items()},
    **{
        f"a zipped interrogator {what}": (AssetType.INTERROGATOR, zipped(one), words)
        for what, (one, words) in _interrogators().items()
    },
}  # fmt: skip
