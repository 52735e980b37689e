"""Small model files made byte by byte: what a test uploads when it needs one that inspection takes."""

import hashlib
import json
import math
from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]

SD1: Shapes = {
    "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 7),
}
LORA: Shapes = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (32, 4),
}


def safetensors_file(shapes: Shapes, metadata: Mapping[str, str] | None = None, *, fill: bytes = b"\1") -> bytes:
    """A whole file of half-precision tensors with these shapes."""
    document: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        document[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    return with_header(json.dumps(document).encode(), fill * offset)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """Any header, its length before it."""
    return len(header).to_bytes(8, "little") + header + data


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


CHECKPOINT = safetensors_file(SD1)
"""What inspection takes for a Stable Diffusion 1.x checkpoint."""
