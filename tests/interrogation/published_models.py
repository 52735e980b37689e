"""The published small random networks as assets: their tensors under the names that transformers' files have."""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor

FOLDER = Path(__file__).parent / "published"
Numbers = Mapping[str, npt.NDArray[np.generic]]
BLIP_NAMES = (
    (r"^visual_encoder\.cls_token$", "vision_model.embeddings.class_embedding"),
    (r"^visual_encoder\.pos_embed$", "vision_model.embeddings.position_embedding"),
    (r"^visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual_encoder\.norm\.", "vision_model.post_layernorm."),
    (r"^visual_encoder\.blocks\.(\d+)\.attn\.proj\.", r"vision_model.encoder.layers.\1.self_attn.projection."),
    (r"^visual_encoder\.blocks\.(\d+)\.attn\.", r"vision_model.encoder.layers.\1.self_attn."),
    (r"^visual_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision_model.encoder.layers.\1.layer_norm\2."),
    (r"^visual_encoder\.blocks\.", "vision_model.encoder.layers."),
)
CLIP_NAMES = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.ln_(\d)\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)


def numbers(name: str) -> Numbers:
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def weights(published: Numbers) -> dict[str, Tensor]:
    """The network's tensors, float32, under their published names."""
    prefix = "weight/"
    return {
        name.removeprefix(prefix): torch.from_numpy(value.astype(np.float32))
        for name, value in published.items()
        if name.startswith(prefix)
    }


def _renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in table:
        name = re.sub(pattern, replacement, name)
    return name


def blip_files(published: Numbers) -> dict[str, bytes]:
    """The folder of BLIP, with the settings of Salesforce/blip-image-captioning-base apart from its sizes."""
    words = published["words"].tolist()
    size = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    special = {"pad_token_id": 0, "bos_token_id": len(words), "sep_token_id": 3, "eos_token_id": 2}
    config = {
        "model_type": "blip",
        "vision_config": {**size, "intermediate_size": 128, "image_size": 48, "patch_size": 16, "layer_norm_eps": 1e-5},
        "text_config": {
            **size,
            **special,
            "intermediate_size": 48,
            "vocab_size": len(words) + 2,
            "encoder_hidden_size": 32,
            "max_position_embeddings": 64,
            "layer_norm_eps": 1e-12,
        },
    }
    state = {_renamed(name, BLIP_NAMES): value for name, value in weights(published).items()}
    return {
        "config.json": json.dumps(config).encode(),
        "vocab.txt": ("\n".join(words) + "\n").encode(),
        "model.safetensors": save(state),
    }


def clip_files(published: Numbers) -> dict[str, bytes]:
    """The folder of CLIP, with the settings of openai/clip-vit-large-patch14 apart from its sizes."""
    vocabulary = json.loads(str(published["vocabulary"]))
    size = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 1}
    config = {
        "model_type": "clip",
        "projection_dim": 24,
        "text_config": {**size, "vocab_size": len(vocabulary), "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1},
        "vision_config": {**size, "image_size": 32, "patch_size": 8},
    }
    state: dict[str, Tensor] = {}
    for name, value in weights(published).items():
        ours = _renamed(name, CLIP_NAMES)
        if ".attn.in_proj_" in ours:
            front, kind = ours.split(".attn.in_proj_")
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                state[f"{front}.self_attn.{letter}_proj.{kind}"] = part.clone()
        elif ours in {"visual.proj", "text_projection"}:
            projection = "visual_projection" if ours == "visual.proj" else "text_projection"
            state[f"{projection}.weight"] = value.T.contiguous()
        else:
            state[ours] = value
    return {
        "config.json": json.dumps(config).encode(),
        "vocab.json": str(published["vocabulary"]).encode(),
        "merges.txt": str(published["merges"]).encode(),
        "model.safetensors": save(state),
    }


def write_published_interrogator(path: Path) -> Path:
    """Both networks in one .zip, as users upload them."""
    with zipfile.ZipFile(path, "w") as archive:
        for folder, files in (("blip", blip_files(numbers("blip"))), ("clip", clip_files(numbers("clip")))):
            for name, content in files.items():
                archive.writestr(f"{folder}/{name}", content)
    return path
