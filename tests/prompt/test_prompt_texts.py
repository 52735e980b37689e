"""What happens to a prompt before it is a schedule: styles, comments, tags, AND, and the check that runs it all."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate_on_cloud.webui.prompt.emphasis import EmphasisMode, split_composition
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError, StyleError, StylesFileError, UnknownStyleError
from generate_on_cloud.webui.prompt.extra_networks import extract_tags, read_hypernet, read_lora, strip_comments
from generate_on_cloud.webui.prompt.schedule import PromptClock
from generate_on_cloud.webui.prompt.styles import Style, apply_styles, read_styles
from lambdas.jobs.params import check_prompts

CLOCK = PromptClock(20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("a # b", "a \n"),
        ("a # b\nc", "a \nc"),
        ("a\n# b\nc", "a\nc"),
        ("# b", "\n"),
        ("# b\nc", "\nc"),
        ("a #b #c", "a \n"),
    ],
)
def test_comments_end_at_the_line(text: str, expected: str) -> None:
    assert strip_comments(text) == expected


def test_styles_are_merged_in_order_into_both_prompts() -> None:
    styles = {
        "oil": Style("oil painting of {prompt}, thick", "photo"),
        "dark": Style("dark ", ""),
        "empty": Style("", "{prompt}"),
    }

    assert apply_styles("a cat", "", names=["oil", "dark"], styles=styles) == (
        "oil painting of a cat, thick, dark",
        "photo",
    )
    assert apply_styles("a cat", "x", names=["dark", "oil"], styles=styles) == (
        "oil painting of a cat, dark, thick",
        "x, photo",
    )
    assert apply_styles("", "x", names=["dark", "empty"], styles=styles) == ("dark", "x")


def test_an_unknown_style_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownStyleError, match=r"'oil'; allowed: dark, light"):
        apply_styles("a", "", names=["oil"], styles={"dark": Style(), "light": Style()})


def test_tags_are_removed_whatever_their_kind_and_nothing_else_is() -> None:
    tagged = extract_tags("a, <lora:x:0.5>, b <foo:1> <lora:> < lora:x> c<hypernet:y>")

    assert tagged.text == "a, , b  <lora:> < lora:x> c"
    assert [(tag.kind, tag.positional, dict(tag.named), tag.text) for tag in tagged.tags] == [
        ("lora", ("x", "0.5"), {}, "<lora:x:0.5>"),
        ("foo", ("1",), {}, "<foo:1>"),
        ("hypernet", ("y",), {}, "<hypernet:y>"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<lora:x>", ("x", 1.0, 1.0, None)),
        ("<lora:x:0.5>", ("x", 0.5, 0.5, None)),
        ("<lyco:x:0.5:0.7>", ("x", 0.5, 0.7, None)),
        ("<lora:x:0.5:0.7:8>", ("x", 0.5, 0.7, 8)),
        ("<lora:x:unet=0.7>", ("x", 1.0, 0.7, None)),
        ("<lora:x:te=-1:dyn=4>", ("x", -1.0, -1.0, 4)),
    ],
)
def test_lora_arguments_stand_by_place_or_by_name(text: str, expected: tuple[str, float, float, int | None]) -> None:
    (tag,) = extract_tags(text).tags

    lora = read_lora(tag)

    assert (lora.name, lora.text_encoder_weight, lora.unet_weight, lora.rank) == expected


def test_a_hypernetwork_has_weight_one_unless_said_otherwise() -> None:
    uses = [read_hypernet(tag) for tag in extract_tags("<hypernet:x> <hypernet:y:-0.25>").tags]

    assert [(use.name, use.weight) for use in uses] == [("x", 1.0), ("y", -0.25)]


@pytest.mark.parametrize(
    "text", ["<lora:x:abc>", "<lora:x:nan>", "<lora:x:1:2:3:4>", "<lora:te=1>", "<lora:x:foo=1>", "<hypernet:x:1:2>"]
)
def test_tag_arguments_that_mean_nothing_are_refused_with_the_tag(text: str) -> None:
    with pytest.raises(PromptSyntaxError, match=text):
        check_prompts(text, "", clock=CLOCK)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", [("a", 1)]),
        ("a :1.2 AND b:0.5", [("a", 1.2), (" b", 0.5)]),
        ("a AND b : -2. ", [("a", 1), (" b", -2)]),
        ("a:0.5", [("a", 0.5)]),
        ("a: .5\n", [("a", 0.5)]),
        ("(a:0.5)", [("(a:0.5)", 1)]),
        ("a:b:3", [("a:b", 3)]),
        ("a:1.2.3", [("a:1.2.3", 1)]),
        ("aAND b and c", [("aAND b and c", 1)]),
        ("a AND ", [("a", 1), ("", 1)]),
        ("", [("", 1)]),
    ],
)
def test_and_splits_a_prompt_into_weighted_parts(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert [(part.text, part.weight) for part in split_composition(prompt)] == expected


def test_a_part_weight_beyond_half_precision_is_refused() -> None:
    with pytest.raises(PromptSyntaxError, match="allowed: from -1e"):
        split_composition(f"a:{'9' * 400}")


def test_the_check_gives_the_tags_of_a_prompt_that_can_be_drawn() -> None:
    tags = check_prompts("(a:1.5) <lora:x:0.5> [b:c:3] AND d", "<lora:y> AND :)", clock=CLOCK)

    assert [tag.name for tag in tags] == ["x"]


@pytest.mark.parametrize(("prompt", "negative"), [("(a:1.2.3)", ""), ("", "(a:1.2.3)"), ("x AND [a:(b:1..1):5]", "")])
def test_the_check_refuses_a_bad_weight_wherever_it_stands(prompt: str, negative: str) -> None:
    with pytest.raises(PromptSyntaxError):
        check_prompts(prompt, negative, clock=CLOCK)


def test_the_check_lets_pass_what_an_option_leaves_unread() -> None:
    check_prompts("(a:1.2.3)", "", clock=CLOCK, emphasis=EmphasisMode.NONE)
    check_prompts("<lora:x:abc>", "", clock=CLOCK, disable_extra_networks=True)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="<lora:x=1>:ANDa ()[]|#\n", max_size=40))
def test_no_prompt_makes_the_check_fail_otherwise_than_by_a_prompt_error(prompt: str) -> None:
    try:
        tags = check_prompts(strip_comments(prompt), prompt, clock=CLOCK)
    except PromptSyntaxError:
        return

    assert len(tags) <= prompt.count("<")


def test_styles_are_read_as_webui_writes_them() -> None:
    data = (
        '\ufeffname,prompt,negative_prompt\r\n"a, b","x\r\n""y""",z\r\n old, text ,\r\n,nameless,\r\n old,newer,n\r\n'
    )

    assert read_styles(data.encode()) == {"a, b": Style('x\r\n"y"', "z"), "old": Style("newer", "n")}


def test_styles_of_before_negative_prompts_are_read() -> None:
    assert read_styles(b"name,text\noil,an oil painting\nempty\n") == {
        "oil": Style("an oil painting"),
        "empty": Style(),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "columns none; allowed: name, prompt, negative_prompt"),
        (b"name,style\n", "columns name, style; allowed"),
        (b"\xff\xfe", "not a table of UTF-8 text"),
        (b'name,prompt\na,"' + b"x" * 200_000, "not a table of UTF-8 text"),
    ],
)
def test_a_file_without_styles_is_told_apart(data: bytes, reason: str) -> None:
    with pytest.raises(StylesFileError, match=reason):
        read_styles(data)


def test_styles_that_repeat_the_prompt_without_end_are_refused() -> None:
    styles = {"more": Style("{prompt}" * 100)}

    with pytest.raises(StyleError, match="longer than 1048576 characters"):
        apply_styles("a cat", "", names=["more"] * 20, styles=styles)


def test_the_check_can_run_where_no_model_library_is_installed() -> None:
    program = (
        "import sys; from generate_on_cloud.webui.prompt import emphasis, extra_networks, schedule, styles; "
        "from generate_on_cloud.webui.infotext import parser, writer;"
        "print(sorted({'torch', 'transformers', 'pydantic', 'numpy', 'lark'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("weight", ["1e300", "-1e300", "1e999", "nan", "inf", "1000001"])
@pytest.mark.parametrize("tag", ["<lora:x:{}>", "<lora:x:1:{}>", "<lora:x:te=1:unet={}>", "<hypernet:x:{}>"])
def test_a_weight_in_a_tag_is_bounded_like_one_in_brackets(tag: str, weight: str) -> None:
    with pytest.raises(PromptSyntaxError, match=r"as a weight in .*; allowed: from -1e"):
        check_prompts(tag.format(weight), "", clock=CLOCK)
