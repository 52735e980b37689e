"""A checkpoint's configuration in diffusers' folder layout: the shipped one, overlaid with what the file packs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, NonNegativeInt, ValidationError

from inference_container.models.families import Family
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible

PACKED_CONFIG = "generate_on_cloud.config"
"""Metadata key of a safetensors header (docs/architecture.md)."""
CONFIG_FOLDERS: Mapping[Family, str] = {
    Family.SD1: "sd15",
    Family.SD1_INPAINT: "sd15",
    Family.INSTRUCT_PIX2PIX: "sd15",
}
INPUT_CHANNELS: Mapping[Family, int] = {Family.SD1_INPAINT: 9, Family.INSTRUCT_PIX2PIX: 8}
"""Of the UNet, where the shipped configuration says otherwise."""
CONFIG_FILES = (
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
)
IGNORED_FILES = ("model_index.json", "tokenizer/special_tokens_map.json")
"""Part of the layout, but they say nothing the others do not."""
MAX_LAYERS = 100
Config = TypeVar("Config", bound=BaseModel)
_LAYER_COUNTS = ("layers_per_block", "num_hidden_layers", "transformer_layers_per_block")


class SchedulerConfig(BaseModel):
    """The noise the model was trained on; other fields of diffusers' schedulers play no part here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    beta_start: float = 0.00085
    beta_end: float = 0.012
    num_train_timesteps: int = 1000
    prediction_type: str = "epsilon"


class TokenizerConfig(BaseModel):
    """The byte-pair vocabulary of the text encoder."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    vocabulary: dict[str, NonNegativeInt] = Field(min_length=1)
    merges: list[tuple[str, str]]
    bos_token: str = "<|startoftext|>"  # noqa: S105 - a word of the vocabulary
    eos_token: str = "<|endoftext|>"  # noqa: S105
    pad_token: str = "<|endoftext|>"  # noqa: S105
    model_max_length: int = 77


@dataclass(frozen=True)
class ModelConfig:
    unet: dict[str, JsonValue]
    vae: dict[str, JsonValue]
    text_encoder: dict[str, JsonValue]
    scheduler: SchedulerConfig
    tokenizer: TokenizerConfig


def model_config(file: ModelFile, *, family: Family, packed: str | None) -> ModelConfig:
    """The configuration of `family`, each file replaced by the one of that name in the JSON document `packed`.

    Raises:
        JobFailed: asset_incompatible, when `packed` is malformed.
    """
    folder = Path(__file__).parent / "configs" / CONFIG_FOLDERS[family]
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in CONFIG_FILES}
    texts |= _unpack(file, packed) if packed is not None else {}
    documents = {name: _document(file, name, texts[name]) for name in CONFIG_FILES if name.endswith(".json")}
    if family in INPUT_CHANNELS and packed is None:
        documents["unet/config.json"]["in_channels"] = INPUT_CHANNELS[family]
    return ModelConfig(
        unet=documents["unet/config.json"],
        vae=documents["vae/config.json"],
        text_encoder=documents["text_encoder/config.json"],
        scheduler=_checked(file, SchedulerConfig, documents["scheduler/scheduler_config.json"]),
        tokenizer=_checked(
            file,
            TokenizerConfig,
            {
                **documents["tokenizer/tokenizer_config.json"],
                "vocabulary": documents["tokenizer/vocab.json"],
                "merges": read_merges(texts["tokenizer/merges.txt"]),
            },
        ),
    )


def _checked(file: ModelFile, kind: type[Config], document: Mapping[str, object]) -> Config:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise incompatible(file, f"{place} of its {kind.__name__} is not valid: {first['msg']}") from error


def read_merges(text: str) -> list[tuple[str, ...]]:
    """The pairs in a merges.txt, most frequent first; its first line may be a version."""
    lines = text.splitlines()
    start = 1 if lines and lines[0].startswith("#version") else 0
    return [tuple(line.split(" ")) for line in lines[start:] if line]


def _unpack(file: ModelFile, packed: str) -> dict[str, str]:
    try:
        document = json.loads(packed)
    except (ValueError, RecursionError) as error:
        raise incompatible(file, f"its header's {PACKED_CONFIG} is not JSON") from error
    if not isinstance(document, dict):
        raise incompatible(file, f"its header's {PACKED_CONFIG} is not a JSON object")
    unknown = sorted(set(document) - {*CONFIG_FILES, *IGNORED_FILES})
    if unknown:
        raise incompatible(
            file, f"its header's {PACKED_CONFIG} holds {unknown[0]!r}; allowed: {', '.join(CONFIG_FILES)}"
        )
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _document(file: ModelFile, name: str, text: str) -> dict[str, JsonValue]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise incompatible(file, f"the {name} packed in it is not JSON") from error
    if not isinstance(document, dict):
        raise incompatible(file, f"the {name} packed in it is not a JSON object")
    for key in _LAYER_COUNTS:
        count = document.get(key, 1)
        if not isinstance(count, int) or not 1 <= count <= MAX_LAYERS:
            raise incompatible(file, f"{key} = {count!r} in its {name}; allowed: 1 to {MAX_LAYERS}")
    return document
