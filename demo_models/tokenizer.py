"""A small CLIP tokenizer: all 512 byte symbols, and merges that turn each word of the captions into one token."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path

from transformers import CLIPTokenizer

LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"
CONFIG: dict[str, object] = {
    "tokenizer_class": "CLIPTokenizer",
    "model_max_length": LENGTH,
    "bos_token": START,
    "eos_token": END,
    "unk_token": END,
    "pad_token": END,
    "do_lower_case": True,
}


def list_byte_symbols() -> list[str]:
    """The printable symbol for each byte, in CLIP's order (GPT-2's byte alphabet)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def build_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs to merge by rank. Merges of later words rank lower, so that they do not split earlier words."""
    merges: list[tuple[str, str]] = []
    for word in words:
        symbols = [*word[:-1], f"{word[-1]}</w>"]
        while True:
            present = set(itertools.pairwise(symbols))
            known = next((pair for pair in merges if pair in present), None)
            if known is None:
                break
            symbols = _merge(symbols, known)
        while len(symbols) > 1:
            pair = (symbols[0], symbols[1])
            merges.append(pair)
            symbols = _merge(symbols, pair)
    return merges


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def build_files(words: Iterable[str]) -> dict[str, str]:
    """The tokenizer's files in diffusers' layout: name → content."""
    merges = build_merges(words)
    symbols = list_byte_symbols()
    tokens = [*symbols, *(f"{symbol}</w>" for symbol in symbols), *("".join(pair) for pair in merges), START, END]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return {
        "vocab.json": json.dumps(vocabulary, ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)]) + "\n",
        "tokenizer_config.json": json.dumps(CONFIG),
        "special_tokens_map.json": json.dumps({key: CONFIG[key] for key in CONFIG if key.endswith("_token")}),
    }


def load_tokenizer(words: Iterable[str], folder: Path) -> CLIPTokenizer:
    """Write the files into `folder` and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in build_files(words).items():
        (folder / name).write_text(content, encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
