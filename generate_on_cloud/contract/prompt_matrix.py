"""Prompt matrix: every combination of the parts of a prompt that `|` separates (WebUI's rules)."""

from typing import TYPE_CHECKING, TypeVar

from generate_on_cloud.contract.limits import MAX_PICTURES
from generate_on_cloud.contract.script_variants import check_text
from generate_on_cloud.contract.selectable_scripts import PromptMatrix

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")


def matrix_parts(script: PromptMatrix, params: "ImageParams") -> list[str]:
    """The part that is always there, and those that come and go."""
    prompt = params.prompt if script.prompt_type == "positive" else params.negative_prompt
    return prompt.split("|")


def matrix_params(script: PromptMatrix, params: Params) -> list[Params]:
    """A single picture for each combination, in WebUI's order; random seeds must have been replaced to be equal.

    Raises:
        ValueError: too many combinations or too much text.
    """
    fixed, *optional = matrix_parts(script, params)
    count = 2 ** len(optional) if len(optional) <= MAX_PICTURES.bit_length() else MAX_PICTURES + 1
    if count > MAX_PICTURES:
        raise ValueError(
            f"Prompt matrix: received {len(optional)} optional parts; "
            f"allowed: as many as give {MAX_PICTURES} combinations"
        )
    check_text(count * len(fixed) + count // 2 * sum(map(len, optional)))
    comma = ", " if script.variations_delimiter == "comma" else " "
    prompts = []
    for number in range(count):
        chosen = [part.strip().strip(",") for place, part in enumerate(optional) if number & (1 << place)]
        prompts.append(comma.join([*chosen, fixed] if script.put_at_start else [fixed, *chosen]))
    field = "prompt" if script.prompt_type == "positive" else "negative_prompt"
    step = 1 if script.different_seeds else 0
    return [
        params.model_copy(
            update={
                field: prompt,
                "batch_size": 1,
                "n_iter": 1,
                "seed": _counted(params.seed, number * step),
                "subseed": _counted(params.subseed, number),
            }
        )
        for number, prompt in enumerate(prompts)
    ]


def _counted(seed: int, number: int) -> int:
    return seed if seed == -1 else seed + number
