"""Files that look like their type and that no job can use: they are refused when they are uploaded."""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from tests.model_files.embedding_pictures import ROWS as PICTURES
from tests.models.hostile_files import (
    LEGACY,
    SOUND,
    entered,
    entry,
    header,
    instructions,
    legacy_claiming,
    saved,
    tensor,
)
from tests.networks.network_files import numbers

Unusable = tuple[AssetType, str, bytes, str | None]
"""Type, ending, bytes, and the words that refuse it; None: it is taken by both."""


def perceptron(width: int, inner: int = 0) -> dict[str, Tensor]:
    inner = inner or 2 * width
    return {
        "linear.0.weight": numbers(inner, width),
        "linear.0.bias": numbers(inner),
        "linear.1.weight": numbers(width, inner),
        "linear.1.bias": numbers(width),
    }


PAIR = (perceptron(16), perceptron(16))
X = json.dumps({"x": entry([4], 0, 16)})
BOM = "\ufeff"
NAME = b"ctorch\nfloat16\n"


def _vectors(count: int, dtype: torch.dtype = torch.float32) -> bytes:
    return saved({"string_to_param": {"*": torch.zeros(count, 768, dtype=dtype)}})


def _safetensors(text: str, encoding: str = "utf-8") -> bytes:
    return header(text, encoding=encoding)


def _hypernetworks() -> Mapping[str, tuple[object, str | None]]:
    nested: object = ()
    for _ in range(12):
        nested = (nested, nested)
    learned = {
        **perceptron(16),
        "linear.1.weight": numbers(1),
        "linear.2.weight": numbers(16, 32),
        "linear.2.bias": numbers(16),
    }
    del learned["linear.1.bias"]
    return {
        "without layers": ({"layer_structure": [1, 2, 1], "step": 3}, "it holds no hypernetwork"),
        "of no width": ({0: PAIR, -4: PAIR}, "it holds no hypernetwork"),
        "of empty layers": ({16: ({}, {})}, "for width 16 it has linear.0.bias of shape None"),
        "of one layer": ({16: (PAIR[0],)}, "for width 16 it has no pair of layers for keys and values"),
        "of a number": ({16: 5}, "for width 16 it has no pair of layers"),
        "of lists": ({16: ([], [])}, "for width 16 it has no tensors"),
        "of another width": ({32: PAIR}, "its structure requires"),
        "of another structure": ({16: PAIR, "layer_structure": [1, 3, 1]}, "its structure requires (48,)"),
        "of no structure": ({16: PAIR, "layer_structure": [1]}, "its layer_structure = [1] is not valid"),
        "of shared lists": ({16: PAIR, "layer_structure": nested}, "is not valid"),
        "of an unknown activation": ({16: PAIR, "activation_func": "magic"}, "its activation_func = 'magic' is not"),
        "of half an activation": ({16: PAIR, "activation_func": "glu"}, "do not fit each other: glu changes"),
        "with norms it lacks": ({16: PAIR, "is_layer_norm": True}, "its structure requires"),
        "with a relu": ({16: PAIR, "activation_func": "linear"}, None),
        "with a learned activation": (
            {16: (learned, learned), "activation_func": "prelu", "activate_output": False},
            None,
        ),
    }


UNUSABLE: Mapping[str, Unusable] = {
    **PICTURES,
    **{
        f"a hypernetwork {what}": (AssetType.HYPERNETWORK, "pt", saved(document), words)
        for what, (document, words) in _hypernetworks().items()
    },
    **{
        f"an embedding of {count} vectors": (AssetType.EMBEDDING, "pt", _vectors(count), words)
        for count, words in (
            (0, "has the shapes [[0, 768]]"),
            (5_000, "has 5000 vectors; allowed: 1 to 75"),
            (20_000, "has 20000 vectors; allowed: 1 to 75"),
        )
    },
    "an embedding of whole numbers": (AssetType.EMBEDDING, "pt", _vectors(2, torch.int64), None),
    "a header in UTF-16": (AssetType.UPSCALER, "safetensors", _safetensors(X, "utf-16"), "its header is not JSON"),
    "a header in UTF-16, no mark": (AssetType.UPSCALER, "safetensors", _safetensors(X, "utf-16-le"), "is not JSON"),
    "a header in UTF-32": (AssetType.UPSCALER, "safetensors", _safetensors(X, "utf-32"), "its header is not JSON"),
    "a header with a mark": (AssetType.UPSCALER, "safetensors", _safetensors(BOM + X), "its header is not JSON"),
    "a shape whose factors overflow": (
        AssetType.UPSCALER,
        "safetensors",
        header(json.dumps({"x": entry([2**62, 4, 0], 0, 0)}), b""),
        "tensor 'x' is malformed",
    ),
    "STACK_GLOBAL": (
        AssetType.EMBEDDING,
        "pt",
        instructions(b"}X\1\0\0\0xX\5\0\0\0torchX\7\0\0\0float16\x93s"),
        "instruction STACK_GLOBAL",
    ),
    "a text float": (AssetType.EMBEDDING, "pt", instructions(b"}X\1\0\0\0xF1.5\ns"), "instruction FLOAT"),
    "a tensor changed": (AssetType.EMBEDDING, "pt", entered(tensor(0, 4, 1) + b"}b"), "changes 'Tensor'"),
    "a name changed": (AssetType.EMBEDDING, "pt", entered(NAME + b"}b"), "changes 'torch.float16'"),
    "a stride below nought": (
        AssetType.EMBEDDING,
        "pt",
        entered(tensor(0, 4, 1).replace(b"K\4\x85K\1\x85", b"K\4\x85J\xff\xff\xff\xff\x85")),
        "a tensor has no size",
    ),
    "an offset beyond the storage": (AssetType.EMBEDDING, "pt", entered(tensor(9, 1, 1)), "extends beyond its storage"),
    "strides of nought": (AssetType.EMBEDDING, "pt", legacy_claiming(2**40, stride=0), "claims 4398046511104 bytes"),
    "a zip of torch's after junk": (AssetType.EMBEDDING, "pt", b"\0" * 100 + SOUND, "it is not a complete pickle"),
    "a zip of torch's after an older file": (AssetType.EMBEDDING, "pt", LEGACY + SOUND, None),
}  # fmt: skip
