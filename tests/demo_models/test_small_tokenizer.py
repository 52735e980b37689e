"""The tokenizer of the demo family."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from demo_models.captions import WORDS
from demo_models.tokenizer import build_merges, list_byte_symbols, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return load_tokenizer(WORDS, tmp_path_factory.mktemp("tokenizer"))


def test_every_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    numbers = {word: tokenizer(word, add_special_tokens=False).input_ids for word in WORDS}

    assert {word: ids for word, ids in numbers.items() if len(ids) != 1} == {}
    assert len({ids[0] for ids in numbers.values()}) == len(WORDS)


def test_a_comma_is_the_token_webui_looks_for(tokenizer: CLIPTokenizer) -> None:
    assert ",</w>" in tokenizer.get_vocab()


@given(st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_has_tokens_and_none_is_unknown(tokenizer: CLIPTokenizer, text: str) -> None:
    assume("<|" not in text)  # the two special tokens may be written out, as in every CLIP tokenizer

    ids = tokenizer(text, add_special_tokens=False).input_ids

    assert tokenizer.eos_token_id not in ids
    assert tokenizer.bos_token_id not in ids


def test_the_alphabet_has_a_symbol_for_each_byte() -> None:
    assert len(set(list_byte_symbols())) == 256


def test_a_later_word_never_splits_an_earlier_one(tmp_path: Path) -> None:
    words = ["red", "green", "reed", "edge", "greener"]

    loaded = load_tokenizer(words, tmp_path)

    assert [len(loaded(word, add_special_tokens=False).input_ids) for word in words] == [1] * 5
    assert len(build_merges(words)) == len(set(build_merges(words)))
