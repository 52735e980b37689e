"""The prompts of a request, read before the job is queued: what the container could not encode is refused here."""

from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.contract.samplers import SAMPLERS
from generate_on_cloud.webui.prompt.check import check_prompts
from generate_on_cloud.webui.prompt.comments import strip_comments
from generate_on_cloud.webui.prompt.emphasis import EmphasisMode
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.schedule import PromptClock
from lambdas.problems import invalid


def check_wording(params: ImageParams, *, prefix: str) -> None:
    """Refuse prompts that WebUI answers with an error.

    Raises:
        ProblemError: `invalid_params`, with a pointer (below `prefix`) for each prompt.
    """
    syntax = []
    for field, prompt, negative in prompts_of(params):
        try:
            check_prompts(
                prompt,
                negative,
                clock=PromptClock(params.steps, second_order=SAMPLERS[params.sampler_choice().sampler].second_order),
                emphasis=EmphasisMode(str(params.option("emphasis"))),
                disable_extra_networks=params.disable_extra_networks,
            )
        except PromptSyntaxError as error:
            syntax.append(FieldError(pointer=f"{prefix}/{field}", message=str(error)))
    if syntax:
        raise invalid(syntax)


def prompts_of(params: ImageParams) -> list[tuple[str, str, str]]:
    """Field, positive and negative text, without comments; the empty ones have nothing to check."""
    fields = [("prompt", params.prompt, ""), ("negative_prompt", "", params.negative_prompt)]
    if isinstance(params, Txt2ImgParams) and params.enable_hr:
        fields += [("hr_prompt", params.hr_prompt, ""), ("hr_negative_prompt", "", params.hr_negative_prompt)]
    if params.option("enable_prompt_comments"):
        fields = [(field, strip_comments(prompt), strip_comments(negative)) for field, prompt, negative in fields]
    return [(field, prompt, negative) for field, prompt, negative in fields if prompt or negative]
