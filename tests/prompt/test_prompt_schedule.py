"""Prompt editing and alternation: the vectors of semantics §4.5, hires rules, and any text at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.schedule import MAX_DEPTH, PromptClock, schedule_prompt

VECTORS: dict[str, list[tuple[int, str]]] = {
    "": [(20, "")],
    "a": [(20, "a")],
    "a [cat:dog:0.5]": [(10, "a cat"), (20, "a dog")],
    "[cat:dog:1]": [(1, "cat"), (20, "dog")],
    "[cat:dog:1.0]": [(20, "cat")],
    "[cat:dog:.5]": [(10, "cat"), (20, "dog")],
    "[cat:dog: 7 ]": [(7, "cat"), (20, "dog")],
    "[cat:dog:1e1]": [(10, "cat"), (20, "dog")],
    "[cat:dog:99]": [(20, "cat")],
    "[cat:dog:1e999]": [(20, "cat")],
    "[cat:dog:-1]": [(20, "dog")],
    "[cat:dog:0.04]": [(20, "dog")],
    "a [dog:0.25] x": [(5, "a  x"), (20, "a dog x")],
    "a [dog::0.25] x": [(5, "a dog x"), (20, "a  x")],
    "[:dog:3]": [(3, ""), (20, "dog")],
    "[(cat:1.2):[dog]:3]": [(3, "(cat:1.2)"), (20, "[dog]")],
    "([cat:dog:3]:1.2)": [(3, "(cat:1.2)"), (20, "(dog:1.2)")],
    "[a [b:c:3]:d:0.5] e": [(3, "a b e"), (10, "a c e"), (20, "d e")],
    r"[\[a:b\::3]": [(3, r"\[a"), (20, r"b\:")],
    # Groups that fit no rule are text, and do not keep others from being read.
    "[a:b]": [(20, "[a:b]")],
    "[a:b:c:0.5]": [(20, "[a:b:c:0.5]")],
    "[a:b:x]": [(20, "[a:b:x]")],
    "[a (b:c:0.5]": [(20, "[a (b:c:0.5]")],
    "[a:b] [c:d:3]": [(3, "[a:b] c"), (20, "[a:b] d")],
    "[[c:d:3]": [(3, "[c"), (20, "[d")],
    "10:30 :) [c:d:3]": [(3, "10:30 :) c"), (20, "10:30 :) d")],
    # What cannot be read as a whole is taken literally.
    "a | b [c:d:3]": [(20, "a | b [c:d:3]")],
    "(a|b) [c:d:3]": [(20, "(a|b) [c:d:3]")],
    "[a|b:3]": [(20, "[a|b:3]")],
    "[a|b": [(20, "[a|b")],
    "[c:d:3] \\": [(20, "[c:d:3] \\")],
}


def schedule(text: str, clock: PromptClock) -> list[tuple[int, str]]:
    return [(timed.until, timed.text) for timed in schedule_prompt(text, clock)]


@pytest.mark.parametrize(("text", "expected"), VECTORS.items())
def test_texts_change_at_the_steps_webui_changes_them(text: str, expected: list[tuple[int, str]]) -> None:
    assert schedule(text, PromptClock(20)) == expected


def test_alternation_takes_turns_each_step() -> None:
    assert schedule("[a|b|] c", PromptClock(5)) == [(1, "a c"), (2, "b c"), (3, " c"), (4, "a c"), (5, "b c")]
    assert schedule("[fe|]male", PromptClock(2)) == [(1, "female"), (2, "male")]
    assert schedule("[a||b]", PromptClock(3)) == [(1, "a"), (2, ""), (3, "b")]


def test_an_alternation_inside_an_edit_keeps_counting_from_the_start() -> None:
    assert schedule("[x:[a|b]:2]", PromptClock(4)) == [(1, "x"), (2, "x"), (3, "a"), (4, "b")]


def test_second_order_samplers_have_twice_the_steps_and_absolute_times_count_model_calls() -> None:
    clock = PromptClock(20, second_order=True)

    assert schedule("[a:b:0.5]", clock) == [(20, "a"), (40, "b")]
    assert schedule("[a:b:7]", clock) == [(7, "a"), (40, "b")]


def test_the_hires_pass_counts_on_from_the_first_pass() -> None:
    clock = PromptClock(20, hires_steps=10)

    assert schedule("[a:b:0.5]", clock) == [(10, "b")]
    assert schedule("[a:b:1.5]", clock) == [(5, "a"), (10, "b")]
    assert schedule("[a:b:24]", clock) == [(4, "a"), (10, "b")]
    assert schedule("[a:b:12]", clock) == [(10, "b")]
    assert schedule("[a:b:1.5]", PromptClock(20, hires_steps=10, hires_second_order=True)) == [(10, "a"), (20, "b")]


def test_old_scheduling_reads_numbers_below_one_as_fractions_and_others_as_steps() -> None:
    clock = PromptClock(20, use_old_scheduling=True)

    assert schedule("[a:b:0.5]", clock) == [(10, "a"), (20, "b")]
    assert schedule("[a:b:1.0]", clock) == [(1, "a"), (20, "b")]
    assert schedule("[a:b:3.7]", clock) == [(3, "a"), (20, "b")]


def test_deep_nesting_is_read_up_to_the_limit_and_refused_beyond() -> None:
    assert schedule("[" * MAX_DEPTH + "a" + ":3]" * MAX_DEPTH, PromptClock(4)) == [(3, ""), (4, "a")]
    with pytest.raises(PromptSyntaxError, match=f"allowed: {MAX_DEPTH}"):
        schedule_prompt("[" * (MAX_DEPTH + 1), PromptClock(4))


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(PromptSyntaxError, match=r"U\+D800, at position 2"):
        schedule_prompt("a \ud800", PromptClock(4))


PIECES = st.sampled_from([*"[](): |\\", "a", "b c", ":3]", ":0.5]", "[a:b:2]", "[p|q]", "\\(", "-1", "."])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30), st.integers(1, 6))
def test_any_text_gets_a_schedule_that_reaches_the_last_step(text: str, steps: int) -> None:
    try:
        timeline = schedule_prompt(text, PromptClock(steps))
    except PromptSyntaxError:
        assert any("\ud800" <= character <= "\udfff" for character in text)
        return

    ends = [timed.until for timed in timeline]
    assert ends == sorted(set(ends))
    assert ends[0] >= 1
    assert ends[-1] == steps


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab (),.:\\", max_size=30))
def test_text_without_square_brackets_and_bars_is_kept(text: str) -> None:
    assert schedule(text, PromptClock(9)) == [(9, text)]


@pytest.mark.parametrize("edit", ["[a:3]", "[a:b:3]", "[a::3]", "[ a : b : 3 ]", "x [a:b:3]", "[(a):3]", "(c)[a:3]"])
@pytest.mark.parametrize("stray", [":", "(", ")", "[", "]"])
@pytest.mark.parametrize("count", range(6))
def test_an_edit_before_an_even_number_of_stray_brackets_or_colons_is_text(edit: str, stray: str, count: int) -> None:
    """As in WebUI's grammar read by lark 1.1.2: `[a:b:3]::` is taken literally, `[a:b:3]:` is not."""
    prompt = edit + stray * count

    texts = schedule_prompt(prompt, PromptClock(10))

    if count >= 2 and count % 2 == 0:
        assert [timed.text for timed in texts] == [prompt]
    else:
        assert [timed.until for timed in texts] == [3, 10]


@pytest.mark.parametrize(
    ("edit", "literal"),
    [
        ("([a:3])", (False, True, False, True, False)),
        ("[[a:3]]", (False, True, False, True, False)),
        ("(x[a:3])", (False, True, False, True, False)),
        ("(([a:3]))", (False, False, True, False, True)),
        ("([a:3]:1)", (False,) * 5),
        ("([a:3] x)", (False,) * 5),
        ("[a:3]x", (False,) * 5),
        ("[a:3] ", (False,) * 5),
        ("[a:3](b)", (False,) * 5),
    ],
)
def test_brackets_of_emphasis_around_an_edit_count_like_strays(edit: str, literal: tuple[bool, ...]) -> None:
    texts = [schedule_prompt(edit + ":" * count, PromptClock(10)) for count in range(5)]

    assert tuple(len(timed) == 1 for timed in texts) == literal


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("[[c:d:2]:b:3]::", [(2, "[c:b:3]::"), (10, "[d:b:3]::")]),
        ("[b:([c:d:2]):3]::", [(10, "[b:([c:d:2]):3]::")]),
        ("[b:[c:d:2] e:3]::", [(2, "[b:c e:3]::"), (10, "[b:d e:3]::")]),
        ("[a:b:3][c:d:4]::", [(3, "a[c:d:4]::"), (10, "b[c:d:4]::")]),
        ("[a::3]([a:b:3])[", [(10, "[a::3]([a:b:3])[")]),
        (
            "photo of [a red circle:a blue star:5]:: on white",
            [(10, "photo of [a red circle:a blue star:5]:: on white")],
        ),
    ],
)
def test_what_is_inside_an_edit_that_is_text_keeps_its_meaning(prompt: str, expected: list[tuple[int, str]]) -> None:
    assert [(timed.until, timed.text) for timed in schedule_prompt(prompt, PromptClock(10))] == expected
