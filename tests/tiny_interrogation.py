"""Tiny interrogators and taggers, written to disk by the tools their users have."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPConfig,
    CLIPModel,
)

from demo_models.tokenizer import build_files
from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile

CONFIG_KEY = "generate_on_cloud.config"
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "picture", "of", "cat", "dog", "red", "blue", ",", "##s")
LISTS = {"colours": "red\nblue\n", "pets.top2": "cat\ndog\na cat\n"}
TAGS = ("1girl", "long_hair", "smile_(mouth)", "rating:safe")


def model_file(path: Path, asset_type: AssetType = AssetType.INTERROGATOR, *, name: str | None = None) -> ModelFile:
    """The file as a job has it."""
    return ModelFile(asset_type, name or path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def write_caption_folder(folder: Path, **text: Any) -> Any:
    """A BLIP as `save_pretrained` writes it; like the real one, its [DEC] is not in vocab.txt."""
    torch.manual_seed(1)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    special = {"pad_token_id": 0, "bos_token_id": len(WORDS), "sep_token_id": 3, "eos_token_id": 3}
    model: Any = BlipForConditionalGeneration(
        BlipConfig(
            vision_config={**size, "image_size": 24, "patch_size": 8, "initializer_range": 0.2},
            text_config={
                **size,
                **special,
                "vocab_size": len(WORDS) + 2,
                "encoder_hidden_size": 32,
                "max_position_embeddings": 60,
                "initializer_range": 0.3,
                **text,
            },
        )
    ).eval()
    model.save_pretrained(folder)
    BertTokenizer(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return model


def write_ranking_folder(folder: Path) -> Any:
    """A CLIP as `save_pretrained` writes it."""
    torch.manual_seed(2)
    folder.mkdir(parents=True, exist_ok=True)
    files = build_files(["cat", "dog", "red", "blue", "a"])
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    vocabulary = json.loads(files["vocab.json"])
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    special = {"bos_token_id": vocabulary["<|startoftext|>"], "eos_token_id": vocabulary["<|endoftext|>"]}
    model: Any = CLIPModel(
        CLIPConfig(
            text_config={**size, **special, "vocab_size": len(vocabulary), "max_position_embeddings": 12},
            vision_config={**size, "image_size": 24, "patch_size": 8},
            projection_dim=16,
        )
    ).eval()
    model.save_pretrained(folder)
    return model


def write_interrogator_zip(path: Path, *, lists: Mapping[str, str] = LISTS) -> Path:
    """Both folders and the lists zipped with everything in one folder, as a file manager does it."""
    captions, ranking = path.parent / "captions", path.parent / "ranking"
    write_caption_folder(captions)
    write_ranking_folder(ranking)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in (captions, ranking):
            for file in folder.iterdir():
                archive.write(file, f"mine/{folder.name}/{file.name}")
        for name, text in lists.items():
            archive.writestr(f"mine/lists/{name}.txt", text)
    return path


def write_interrogator_file(path: Path) -> Path:
    """The same models packed into one .safetensors."""
    captions, ranking = path.parent / "packed-captions", path.parent / "packed-ranking"
    write_caption_folder(captions)
    write_ranking_folder(ranking)
    state = {f"caption.{name}": value for name, value in load_file(captions / "model.safetensors").items()}
    state |= {f"clip.{name}": value for name, value in load_file(ranking / "model.safetensors").items()}
    texts: dict[str, object] = {f"lists/{name}.txt": text for name, text in LISTS.items()}
    for part, folder, names in (
        ("caption", captions, ("config.json", "vocab.txt")),
        ("clip", ranking, ("config.json", "vocab.json", "merges.txt")),
    ):
        texts |= {f"{part}/{name}": (folder / name).read_text(encoding="utf-8") for name in names}
    save_file(state, path, metadata={CONFIG_KEY: json.dumps(texts)})
    return path


KERNELS = [
    *((6, 3, 7), (8, 6, 1), (4, 6, 1), (4, 4, 3), (8, 4, 1), (4, 8, 1), (4, 4, 3), (8, 4, 1)),
    *((12, 8, 1), (4, 8, 1), (4, 4, 3), (12, 4, 1), (4, 12, 1), (4, 4, 3), (12, 4, 1), (12, 12, 1), (len(TAGS), 12, 1)),
]
"""A first stage of two blocks, a widening block, and one whose shortcut stands behind it."""


def deepdanbooru_state() -> dict[str, Tensor]:
    """Tensors named as in TorchDeepDanbooru's file."""
    torch.manual_seed(3)
    state = {}
    for number, (out, into, side) in enumerate(KERNELS):
        state[f"n_Conv_{number}.weight"] = torch.randn(out, into, side, side) * (2 / (into * side * side)) ** 0.5
        if number < len(KERNELS) - 1:
            state[f"n_Conv_{number}.bias"] = torch.randn(out) * 0.1
    return state


def write_deepdanbooru(path: Path) -> Path:
    """The torch port's own file: a pickled dictionary of tensors and the list of tags."""
    torch.save({**deepdanbooru_state(), "tags": list(TAGS)}, path)
    return path


SIDE = 16
WD_CSV = "tag_id,name,category,count\n9,general,9,5\n1,long_hair,0,9\n2,saber_(fate),4,3\n3,^_^,0,2\n"
WD_WEIGHTS = np.array([[0.9, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)


def wd_network(
    *,
    nodes: Sequence[Any] = (),
    initializers: Sequence[Any] = (),
    shape: Sequence[int | str] = ("batch", SIDE, SIDE, 3),
    probabilities: bool = True,
    outputs: int = 4,
    domain: str = "",
) -> bytes:
    """A network whose scores are the mean blue, green and red of its input times WD_WEIGHTS, over 255."""
    weights: npt.NDArray[np.float32] = (WD_WEIGHTS[:outputs].T / 255).astype(np.float32)
    last = "scores" if probabilities else "logits"
    body = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["scores"], domain=domain),
        *([] if probabilities else [helper.make_node("Mul", ["scores", "far"], ["logits"])]),
        *nodes,
    ]
    graph = helper.make_graph(
        body,
        "wd14",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", outputs])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array(-8, dtype=np.float32), "far"),
            *initializers,
        ],
    )
    opsets = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def write_wd_zip(path: Path, network: bytes | None = None, *, text: str = WD_CSV) -> Path:
    """A WD14 model and its list, as they are offered for download."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", wd_network() if network is None else network)
        archive.writestr("selected_tags.csv", text)
    return path


def external_tensor() -> Any:
    """A tensor that says its bytes are in another file."""
    tensor = onnx.TensorProto()
    tensor.name, tensor.data_type = "elsewhere", TensorProto.FLOAT
    tensor.dims.extend([4])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return tensor
