"""Checks prompts before a job is queued; uses the standard library only, so that Lambdas can call it."""

from generate_on_cloud.contract.limits import MAX_ENCODED, MAX_PROMPT
from generate_on_cloud.webui.prompt.emphasis import EmphasisMode, PartText, parse_emphasis, split_composition
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.extra_networks import ExtraNetworkTag, extract_tags, plan_networks
from generate_on_cloud.webui.prompt.schedule import PromptClock, schedule_prompt


def check_prompts(
    prompt: str,
    negative_prompt: str,
    *,
    clock: PromptClock,
    emphasis: EmphasisMode = EmphasisMode.ORIGINAL,
    disable_extra_networks: bool = False,
) -> tuple[ExtraNetworkTag, ...]:
    """Check that both prompts (styles applied, comments removed) can be encoded; return the positive prompt's tags.

    Raises:
        PromptSyntaxError: WebUI would answer with an error or silently ignore it: a weight in brackets or in a tag is
            not a number. Or a prompt is too long to be parsed in a moment.
    """
    for text in (prompt, negative_prompt):
        if len(text) > MAX_PROMPT:
            raise PromptSyntaxError(f"received {len(text)} characters with its styles; allowed: {MAX_PROMPT}")
    tagged = extract_tags(prompt)
    if not disable_extra_networks:
        plan_networks(tagged.tags)
    variants: set[str] = set()
    for part in (*split_composition(tagged.text), PartText(negative_prompt, 1.0)):
        variants |= {timed.text for timed in schedule_prompt(part.text, clock)}
        if sum(map(len, variants)) > MAX_ENCODED:
            raise PromptSyntaxError(
                f"received a prompt whose editing and alternation make {len(variants)} texts; allowed: up to "
                f"{MAX_ENCODED} characters in all of them"
            )
    for text in variants if emphasis is not EmphasisMode.NONE else ():
        parse_emphasis(text)
    return tagged.tags
