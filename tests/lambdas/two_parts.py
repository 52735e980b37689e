"""A LoRA that is uploaded in two parts."""

from tests.lambdas.model_bytes import LORA, safetensors_file, sha256_of

PART = 8192
FILE = safetensors_file({**LORA, "lora_unet_x.diff": (PART // 4,)})
PARTS = {1: FILE[:PART], 2: FILE[PART:]}
DECLARED = {"type": "lora", "name": "ink.safetensors", "size": len(FILE), "sha256": sha256_of(FILE)}
