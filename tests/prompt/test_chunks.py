"""Chunks of 75: padding, BREAK, comma backtrack and places for embeddings (semantics §4.4, §4.7)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_container.prompt.chunks import (
    Chunk,
    SpecialTokens,
    TokenisedText,
    empty_chunk,
    split_into_chunks,
)
from inference_container.prompt.inversions import InversionMatcher, InversionName

START, END, COMMA, WORD = 900, 901, 902, 1
SPECIAL = SpecialTokens(START, END, COMMA)


def chunks_of(*tokens: int, comma_backtrack: int = 20) -> list[list[int]]:
    """The texts of the chunks, without start, end and padding."""
    chunks = split_into_chunks([TokenisedText(tokens, 1.0)], special=SPECIAL, comma_backtrack=comma_backtrack)
    return [words(chunk) for chunk in chunks]


def words(chunk: Chunk) -> list[int]:
    assert len(chunk.tokens) == len(chunk.weights) == 77
    assert (chunk.tokens[0], chunk.tokens[-1]) == (START, END)
    return [token for token in chunk.tokens if token not in (START, END)]


def test_no_text_is_one_chunk_of_end_tokens() -> None:
    (chunk,) = split_into_chunks([TokenisedText((), 1.0)], special=SPECIAL)

    assert chunk == empty_chunk(SPECIAL)
    assert chunk.tokens == (START, *[END] * 76)
    assert chunk.weights == (1.0,) * 77


def test_the_76th_token_begins_a_second_chunk() -> None:
    assert chunks_of(*[WORD] * 75) == [[WORD] * 75]
    assert chunks_of(*[WORD] * 76) == [[WORD] * 75, [WORD]]


def test_start_end_and_padding_weigh_one() -> None:
    (chunk,) = split_into_chunks([TokenisedText((WORD, WORD), 1.5), TokenisedText((WORD,), 0.5)], special=SPECIAL)

    assert chunk.weights == (1.0, 1.5, 1.5, 0.5, *[1.0] * 73)


def test_break_ends_a_chunk_and_leaves_none_behind_it() -> None:
    word, end_of_chunk = TokenisedText((WORD,), 1.0), TokenisedText((7, 8), -1.0, is_break=True)

    assert len(split_into_chunks([word, end_of_chunk, word], special=SPECIAL)) == 2
    assert len(split_into_chunks([word, end_of_chunk], special=SPECIAL)) == 1
    assert len(split_into_chunks([end_of_chunk, end_of_chunk, word], special=SPECIAL)) == 3


@pytest.mark.parametrize(
    ("comma_at", "moved"),
    [(54, 0), (55, 19), (56, 18), (73, 1), (74, 0)],
)
def test_what_follows_a_comma_at_most_20_tokens_back_moves_on(comma_at: int, moved: int) -> None:
    tokens = [WORD] * 76
    tokens[comma_at] = COMMA

    first, second = chunks_of(*tokens)

    assert len(first) == 75 - moved
    assert len(second) == 1 + moved


def test_a_comma_that_comes_when_the_chunk_is_full_moves_alone() -> None:
    tokens = [*[WORD] * 70, COMMA, *[WORD] * 4, COMMA, WORD]

    assert chunks_of(*tokens) == [tokens[:75], [COMMA, WORD]]


def test_comma_backtrack_zero_moves_nothing() -> None:
    tokens = [*[WORD] * 70, COMMA, *[WORD] * 5]

    assert chunks_of(*tokens, comma_backtrack=0) == [tokens[:75], tokens[75:]]


def test_weights_move_with_their_tokens() -> None:
    texts = [TokenisedText([WORD] * 73, 1.0), TokenisedText([COMMA, WORD, WORD], 2.0)]

    first, second = split_into_chunks(texts, special=SPECIAL)

    assert first.weights == (*[1.0] * 74, 2.0, 1.0, 1.0)
    assert second.weights == (1.0, 2.0, 2.0, *[1.0] * 74)


def test_an_embedding_takes_its_vectors_places_and_the_weight_around() -> None:
    matcher = InversionMatcher([InversionName("style", (5, 6), 3)])

    (chunk,) = split_into_chunks([TokenisedText((WORD, 5, 6, WORD), 1.5)], special=SPECIAL, inversions=matcher)

    assert chunk.tokens[:6] == (START, WORD, 0, 0, 0, WORD)
    assert chunk.weights[:7] == (1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.0)
    assert [(place.offset, place.name) for place in chunk.insertions] == [(2, "style")]


def test_an_embedding_that_does_not_fit_whole_begins_the_next_chunk() -> None:
    matcher = InversionMatcher([InversionName("style", (5,), 3)])

    first, second = split_into_chunks([TokenisedText((*[WORD] * 73, 5), 1.0)], special=SPECIAL, inversions=matcher)

    assert words(first) == [WORD] * 73
    assert second.tokens[:5] == (START, 0, 0, 0, END)
    assert [place.offset for place in second.insertions] == [1]


def test_an_embedding_behind_the_comma_moves_with_its_place() -> None:
    matcher = InversionMatcher([InversionName("style", (5,), 2)])
    tokens = (5, *[WORD] * 68, COMMA, WORD, 5, WORD, WORD)

    first, second = split_into_chunks([TokenisedText(tokens, 1.0)], special=SPECIAL, inversions=matcher)

    assert [place.offset for place in first.insertions] == [1]
    assert second.tokens[:6] == (START, WORD, 0, 0, WORD, WORD)
    assert [place.offset for place in second.insertions] == [2]


def test_the_longest_name_wins_and_names_match_anywhere() -> None:
    matcher = InversionMatcher(
        [InversionName("short", (5,), 1), InversionName("long", (5, 6), 1), InversionName("other", (9,), 1)]
    )

    found = [matcher.match((8, 5, 6, 5), position) for position in range(4)]

    assert [name.name if name else None for name in found] == [None, "long", None, "short"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([WORD, COMMA, 3]), max_size=400), st.integers(0, 74))
def test_every_token_is_in_exactly_one_chunk_in_its_order(tokens: list[int], comma_backtrack: int) -> None:
    chunks = chunks_of(*tokens, comma_backtrack=comma_backtrack)

    assert [token for chunk in chunks for token in chunk] == tokens
    assert all(chunks[1:]) or not tokens
