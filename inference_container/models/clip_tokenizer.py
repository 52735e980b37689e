"""Builds CLIP's byte-pair tokenizer from the vocabulary in a file."""

from typing import Any

from transformers import CLIPTokenizer

from inference_container.models.files import ModelFile
from inference_container.models.model_config import TokenizerConfig
from inference_container.models.tensor_file import incompatible


def build_clip_tokenizer(file: ModelFile, words: TokenizerConfig, *, vocabulary_size: object) -> Any:
    """Build transformers' CLIPTokenizer for a text encoder with `vocabulary_size` embeddings.

    Raises:
        JobFailed: asset_incompatible, if the vocabulary lacks required words or exceeds `vocabulary_size`.
    """
    known = set(words.vocabulary)
    lost = [pair for pair in words.merges if not known.issuperset((*pair, "".join(pair)))]
    special = [token for token in (words.bos_token, words.eos_token, words.pad_token) if token not in known]
    if lost or special:
        name = " ".join(lost[0]) if lost else special[0]
        raise incompatible(file, f"its tokenizer's vocabulary lacks {name!r}")
    if not isinstance(vocabulary_size, int) or max(words.vocabulary.values()) >= vocabulary_size:
        raise incompatible(
            file, f"its tokenizer knows more tokens than its text encoder's vocab_size of {vocabulary_size}"
        )
    return CLIPTokenizer(
        vocab=dict(words.vocabulary),
        merges=list(words.merges),
        bos_token=words.bos_token,
        eos_token=words.eos_token,
        unk_token=words.eos_token,
        pad_token=words.pad_token,
        model_max_length=words.model_max_length,
    )
