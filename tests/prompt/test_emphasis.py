"""Emphasis: the vectors of semantics §4.3 and §4.4, and its limits."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.limits import MAX_WEIGHT
from generate_on_cloud.webui.prompt.emphasis import MAX_DEPTH, parse_emphasis
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError

VECTORS: dict[str, list[tuple[str, float]]] = {
    "": [("", 1)],
    "a": [("a", 1)],
    "(a)": [("a", 1.1)],
    "((a))": [("a", 1.21)],
    "[a]": [("a", 1 / 1.1)],
    "[[a]]": [("a", 1 / 1.21)],
    "(a:1.5)": [("a", 1.5)],
    "(a: 1.5 )": [("a", 1.5)],
    "(a:+.5)": [("a", 0.5)],
    "(a:-0.5)": [("a", -0.5)],
    "(a:b:1.2)": [("a:b", 1.2)],
    "(a, (b:0.5):2)": [("a, ", 2), ("b", 1)],
    "(a:1.2": [("a:1.2", 1.1)],
    "a:1.2)": [("a:1.2)", 1)],
    "a:1.2.3)": [("a:1.2.3)", 1)],
    "[b:1.2]": [("b:1.2", 1 / 1.1)],
    "a (b": [("a ", 1), ("b", 1.1)],
    "a [b": [("a ", 1), ("b", 1 / 1.1)],
    "a) b] c": [("a) b] c", 1)],
    "(a)(b)": [("ab", 1.1)],
    r"\(a\) \[b\] \\": [("(a) [b] \\", 1)],
    r"(\(a\):1.5)": [("(a)", 1.5)],
    r"a\b": [("ab", 1)],
    "(a [b) c]": [("a ", 1.1), ("b", 1), (" c", 1 / 1.1)],
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).": [
        ("a ", 1),
        ("house", 1.573),
        (" ", 1.1),
        ("on", 1),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641),
        (".", 1.1),
    ],
}


@pytest.mark.parametrize(("text", "expected"), VECTORS.items())
def test_brackets_become_weights(text: str, expected: list[tuple[str, float]]) -> None:
    pieces = parse_emphasis(text)

    assert [piece.text for piece in pieces] == [text for text, _ in expected]
    assert [piece.weight for piece in pieces] == pytest.approx([weight for _, weight in expected])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a BREAK b", [("a", False), ("BREAK", True), ("b", False)]),
        ("aBREAK b", [("aBREAK b", False)]),
        ("a break b", [("a break b", False)]),
        ("(a:1.5)BREAK", [("a", False), ("", False), ("BREAK", True), ("", False)]),
        ("(x BREAK y:1.2)", [("x", False), ("BREAK", False), ("y", False)]),
    ],
)
def test_break_is_a_chunk_end_only_outside_brackets(text: str, expected: list[tuple[str, bool]]) -> None:
    assert [(piece.text, piece.is_break) for piece in parse_emphasis(text)] == expected


@pytest.mark.parametrize("text", ["(a:1.2.3)", "(a:.)", "((a:1..2):1.1)"])
def test_a_weight_that_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(PromptSyntaxError, match="allowed: a number"):
        parse_emphasis(text)


@pytest.mark.parametrize("text", [f"(a:{10 * MAX_WEIGHT:.0f})", f"(a:{'9' * 400})", "((a:100000):100000)"])
def test_a_weight_no_tensor_holds_is_refused(text: str) -> None:
    with pytest.raises(PromptSyntaxError, match="allowed: from"):
        parse_emphasis(text)


def test_as_many_brackets_as_allowed_are_read_and_one_more_is_refused() -> None:
    assert parse_emphasis("(" * MAX_DEPTH + "a")[0].weight == pytest.approx(1.1**MAX_DEPTH)
    with pytest.raises(PromptSyntaxError, match=f"allowed: {MAX_DEPTH}"):
        parse_emphasis("(" * (MAX_DEPTH + 1) + "a")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"ab ()[]\:.,1-" + "\n", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused_as_a_prompt_error(text: str) -> None:
    try:
        pieces = parse_emphasis(text)
    except PromptSyntaxError:
        return

    assert len(pieces) >= 1
    assert all(left.weight != right.weight for left, right in pairwise(pieces))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\\()[]", exclude_categories=["Cs"]), max_size=60))
def test_text_without_brackets_is_kept_as_it_is(text: str) -> None:
    if "BREAK" not in text:
        assert [(piece.text, piece.weight) for piece in parse_emphasis(text)] == [(text, 1.0)]
