"""Prompts that would cost seconds to parse are refused before anything is expanded."""

import pytest

from generate_on_cloud.contract.limits import MAX_PROMPT
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.schedule import PromptClock
from lambdas.jobs.params import check_prompts

TURNS = "[" + "|".join(f"o{number}" for number in range(150)) + "]"


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (TURNS + "(x)" * 13_000, "change 150 times; allowed: characters × changes"),
        (TURNS + "(x)" * 2_000, "make [0-9]+ texts; allowed: up to"),
        (" AND ".join([TURNS + "(x)" * 100 + str(n) for n in range(80)]), "make [0-9]+ texts; allowed: up to"),
        (" AND ".join([TURNS + "(x)" * 300] * 100), "characters with its styles; allowed"),
        (TURNS + "(x)" * 300_000, "characters with its styles; allowed"),
        ("[a|b]" * 100_000, "characters with its styles; allowed"),
        ("()" * 1_000_000, "characters with its styles; allowed"),
        (("(" * 99 + ")" * 99) * 10_000, "characters with its styles; allowed"),
    ],
)
@pytest.mark.parametrize("negative", [False, True])
def test_a_prompt_that_takes_seconds_to_parse_is_refused(prompt: str, reason: str, negative: bool) -> None:
    prompts = ("", prompt.replace(" AND ", " ")) if negative else (prompt, "")

    with pytest.raises(PromptSyntaxError, match=reason if not negative or " AND " not in prompt else "allowed"):
        check_prompts(*prompts, clock=PromptClock(150))


@pytest.mark.parametrize(
    "prompt",
    [
        "(x)" * (MAX_PROMPT // 3),
        TURNS + "(x)" * 600,
        "a fox, " * 2_000 + "[red|blue] [cat:dog:0.5]",
        " AND ".join(["[a|b] fox"] * 500),
    ],
)
def test_long_prompts_that_people_could_mean_are_parsed(prompt: str) -> None:
    check_prompts(prompt, prompt[:1000], clock=PromptClock(150))
