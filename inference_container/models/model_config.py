"""A checkpoint's configuration in diffusers' folder layout: the shipped files, replaced by those packed in the file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, NonNegativeInt, ValidationError

from generate_on_cloud.model_files.archive_contents import json_object
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible, refusals_of

PACKED_CONFIG = "generate_on_cloud.config"
"""Metadata key of a safetensors header (docs/architecture/02-assets.md)."""
CONFIG_FOLDERS: Mapping[Family, str] = {
    Family.SD1: "sd15",
    Family.SD1_INPAINT: "sd15",
    Family.INSTRUCT_PIX2PIX: "sd15",
    Family.SD2: "sd2",
    Family.SD2_INPAINT: "sd2",
    Family.SDXL: "sdxl",
    Family.SDXL_INPAINT: "sdxl",
    Family.SDXL_REFINER: "sdxl_refiner",
}
"""The folders in `configs`, by the families that this version loads."""
INPUT_CHANNELS: Mapping[Family, int] = {
    Family.SD1_INPAINT: 9,
    Family.INSTRUCT_PIX2PIX: 8,
    Family.SD2_INPAINT: 9,
    Family.SDXL_INPAINT: 9,
}
"""Values of the UNet that differ from the shipped configuration."""
VOCABULARY, MERGES = "tokenizer/vocab.json", "tokenizer/merges.txt"
"""The vocabulary that all text encoders share; every family is shipped with that of `sd15`."""
IGNORED_FILES = ("model_index.json", "tokenizer/special_tokens_map.json", "tokenizer_2/special_tokens_map.json")
"""Files of the layout that only repeat what the others contain."""
MAX_LAYERS = 100
_CONFIGS = Path(__file__).parent / "configs"
Config = TypeVar("Config", bound=BaseModel)
_LAYER_COUNTS = ("layers_per_block", "num_hidden_layers", "transformer_layers_per_block")


class SchedulerConfig(BaseModel):
    """The noise that the model was trained on; other fields of diffusers' schedulers are not used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    beta_start: float = 0.00085
    beta_end: float = 0.012
    num_train_timesteps: int = 1000
    prediction_type: Literal["epsilon", "v_prediction"] | None = None
    """None if the weights decide, see `models.prediction`."""


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
    text_encoders: Mapping[str, dict[str, JsonValue]]
    """Configurations by folder: `text_encoder`, `text_encoder_2`."""
    scheduler: SchedulerConfig
    tokenizer: TokenizerConfig
    pad_tokens: Mapping[str, int]
    """Padding tokens by folder: `tokenizer`, `tokenizer_2`."""


def model_config(file: ModelFile, *, family: Family, packed: str | None) -> ModelConfig:
    """The configuration of `family`; files in the JSON document `packed` replace those of the same name.

    Raises:
        JobFailed: asset_incompatible, if `packed` is malformed.
    """
    names = config_files(family)
    texts = {name: _shipped(family, name).read_text(encoding="utf-8") for name in names}
    own = _unpack(file, packed, allowed=names) if packed is not None else {}
    texts |= own
    documents = {name: _document(file, name, texts[name]) for name in names if name.endswith(".json")}
    if family in INPUT_CHANNELS and "unet/config.json" not in own:
        documents["unet/config.json"]["in_channels"] = INPUT_CHANNELS[family]
    words = {"vocabulary": documents[VOCABULARY], "merges": read_merges(texts[MERGES])}
    tokenizers = {
        folder: _checked(file, TokenizerConfig, {**documents[f"{folder}/tokenizer_config.json"], **words})
        for folder in _folders(names, "tokenizer_config.json")
    }
    first = next(iter(tokenizers.values()))
    return ModelConfig(
        unet=documents["unet/config.json"],
        vae=documents["vae/config.json"],
        text_encoders={
            folder: documents[f"{folder}/config.json"]
            for folder in _folders(names, "config.json")
            if folder.startswith("text_encoder")
        },
        scheduler=_checked(file, SchedulerConfig, documents["scheduler/scheduler_config.json"]),
        # The padding word must stay an ordinary word in prompts, so it is not passed to the tokenizer.
        tokenizer=first.model_copy(update={"pad_token": first.eos_token}),
        pad_tokens={folder: _token(file, words, words.pad_token) for folder, words in tokenizers.items()},
    )


def config_files(family: Family) -> tuple[str, ...]:
    """The configuration files of `family`, any of which a checkpoint file may pack."""
    folder = _CONFIGS / CONFIG_FOLDERS[family]
    own = {path.relative_to(folder).as_posix() for path in folder.glob("*/*.*")}
    return tuple(sorted(own | {VOCABULARY, MERGES}))


def _shipped(family: Family, name: str) -> Path:
    return _CONFIGS / ("sd15" if name in (VOCABULARY, MERGES) else CONFIG_FOLDERS[family]) / name


def _folders(names: tuple[str, ...], file: str) -> list[str]:
    return [folder for folder, _, name in (path.partition("/") for path in names) if name == file]


def _token(file: ModelFile, words: TokenizerConfig, token: str) -> int:
    if token not in words.vocabulary:
        raise incompatible(file, f"its tokenizer's vocabulary lacks {token!r}")
    return words.vocabulary[token]


def _checked(file: ModelFile, kind: type[Config], document: Mapping[str, object]) -> Config:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise incompatible(file, f"{place} of its {kind.__name__} is not valid: {first['msg']}") from error


def read_merges(text: str) -> list[tuple[str, ...]]:
    """The pairs in a merges.txt, most frequent first; the first line may be a version."""
    lines = text.splitlines()
    start = 1 if lines and lines[0].startswith("#version") else 0
    return [tuple(line.split(" ")) for line in lines[start:] if line]


def _unpack(file: ModelFile, packed: str, *, allowed: tuple[str, ...]) -> dict[str, str]:
    document = read_object(file, packed, what=f"its header's {PACKED_CONFIG}")
    unknown = sorted(set(document) - {*allowed, *IGNORED_FILES})
    if unknown:
        raise incompatible(file, f"its header's {PACKED_CONFIG} holds {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def read_object(file: ModelFile, text: str, *, what: str) -> dict[str, JsonValue]:
    """Parse the JSON object in `text`; messages call this part of `file` `what`.

    Raises:
        JobFailed: asset_incompatible, if it is not a JSON object.
    """
    with refusals_of(file):
        return json_object(text, what=what)


def _document(file: ModelFile, name: str, text: str) -> dict[str, JsonValue]:
    document = read_object(file, text, what=f"the {name} packed in it")
    for key in _LAYER_COUNTS:
        count = document.get(key, 1)
        levels = count if isinstance(count, list) else [count]
        if not all(isinstance(one, int) and 1 <= one <= MAX_LAYERS for one in levels):
            raise incompatible(file, f"{key} = {count!r} in its {name}; allowed: 1 to {MAX_LAYERS}")
    return document
