"""Checks a job's params: every error of the document in one answer, and prompts that no container can encode."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from generate_on_cloud.contract.errors import FieldError, ProblemCode
from generate_on_cloud.contract.idle_fields import drop_idle_faults
from generate_on_cloud.contract.job_bodies import SHOWN_PROMPT
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.leniency import Relaxed, relax
from generate_on_cloud.contract.limits import MAX_ENCODED, MAX_PROMPT
from generate_on_cloud.contract.options import OptionRefusedError, check_option
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams
from generate_on_cloud.contract.samplers import SAMPLERS, choose_sampler
from generate_on_cloud.contract.task_params import TaskParams
from generate_on_cloud.webui.infotext.fill import fill_in, unused_entries
from generate_on_cloud.webui.prompt.emphasis import EmphasisMode, PartText, parse_emphasis, split_composition
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.extra_networks import ExtraNetworkTag, extract_tags, plan_networks
from generate_on_cloud.webui.prompt.schedule import PromptClock, schedule_prompt
from lambdas.field_errors import ROOT, field_errors, pointer
from lambdas.jobs.needed_assets import prompts_of
from lambdas.jobs.pictures import picture_errors
from lambdas.problems import MAX_ERRORS, MAX_MESSAGE, SHOWN_CHARACTERS, ProblemError, invalid, sentence, shortened

MAX_UNUSED = 12
"""How many unused entries of an infotext a warning lists."""


@dataclass(frozen=True)
class CheckedParams:
    """The params of a job, valid and supported."""

    params: TaskParams
    document: dict[str, Any]
    """What the container reads: the client's document without what was ignored."""
    warnings: tuple[FieldError, ...] = ()
    """What was ignored, and why."""


def check_params(task: Task, document: dict[str, Any], *, strict: bool = False) -> CheckedParams:
    """Check a client's params. Unless `strict`, drop what a WebUI would ignore (`generate_on_cloud.contract.leniency`).

    Raises:
        ProblemError: `invalid_params` with every error, or `not_supported_yet` with everything that is not supported.
    """
    relaxed = Relaxed(document) if strict else relax(task, document)
    params = _valid(task, relaxed, lenient=not strict)
    warnings = _below_root(relaxed.warnings)
    if isinstance(params, ImageParams) and params.infotext:
        warnings += _unused(params)
        params = _filled(params)
    if waiting := [*relaxed.unsupported, *params.unsupported()]:
        errors = _below_root(waiting)
        raise ProblemError(ProblemCode.NOT_SUPPORTED_YET, sentence(errors), errors=errors)
    if isinstance(params, ImageParams):
        for one in (params, *params.variants()):
            check_prompt_syntax(one, prefix=ROOT)
    return CheckedParams(params, relaxed.params, tuple(warnings))


def _valid(task: Task, relaxed: Relaxed, *, lenient: bool) -> TaskParams:
    """Every error of the document in one problem; `lenient`: but for fields that have no effect, which are dropped."""
    model, document = PARAMS_BY_TASK[task], relaxed.params
    errors = _below_root(picture_errors(document))
    params: TaskParams | None = None
    told_apart: tuple[str, ...] = ()
    if issubclass(model, ImageParams):
        own = _below_root([*_sampler_errors(document), *_option_errors(document)])
        # The model finds these too, but cannot say exactly where.
        told_apart = tuple({"/".join(error.pointer.split("/")[:3]) for error in own})
        errors += own
    try:
        params = model.model_validate(document)
    except ValidationError as error:
        if lenient and drop_idle_faults(document, model, error, warn=relaxed.warn):
            return _valid(task, relaxed, lenient=False)
        sampler_told = any(path.startswith((f"{ROOT}/sampler", f"{ROOT}/scheduler")) for path in told_apart)
        errors += [
            found
            for found in field_errors(error, model, prefix=ROOT)
            if not (found.pointer == f"{ROOT}/override_settings" and found.pointer in told_apart)
            and not (found.pointer == ROOT and sampler_told)
        ]
    if params is None or errors:
        raise invalid(errors)
    return params


def _filled(params: ImageParams) -> ImageParams:
    """Add what their infotext fills in, so that errors in it are refused here and not after waiting in the queue."""
    try:
        return fill_in(params)
    except ValueError as error:
        message = shortened(f"infotext: {error}", MAX_MESSAGE)
        raise invalid([FieldError(pointer=f"{ROOT}/infotext", message=message)]) from error


def _unused(params: ImageParams) -> list[FieldError]:
    """A warning about the entries of the infotext that change nothing."""
    names = unused_entries(params)
    if not names:
        return []
    shown = ", ".join(shortened(name, 40) for name in names[:MAX_UNUSED])
    more = f" and {len(names) - MAX_UNUSED} more" if len(names) > MAX_UNUSED else ""
    return [FieldError(pointer=f"{ROOT}/infotext", message=f"these entries were not used: {shown}{more}")]


def _below_root(errors: list[FieldError]) -> list[FieldError]:
    return [FieldError(pointer=ROOT + error.pointer, message=shortened(error.message, MAX_MESSAGE)) for error in errors]


def _sampler_errors(document: Mapping[str, object]) -> list[FieldError]:
    sampler_field = "sampler_name" if document.get("sampler_name") else "sampler_index"
    sampler, scheduler = document.get(sampler_field), document.get("scheduler")
    choices = [("scheduler", "Euler", scheduler or None), (sampler_field, sampler, None)]
    errors = []
    for field, name, schedule in choices:
        if isinstance(name, str) and isinstance(schedule, str | None):
            try:
                choose_sampler(name[:SHOWN_CHARACTERS], schedule[:SHOWN_CHARACTERS] if schedule else None)
            except ValueError as error:
                errors.append(FieldError(pointer=f"/{field}", message=str(error)))
    return errors


def _option_errors(document: Mapping[str, object]) -> list[FieldError]:
    settings = document.get("override_settings")
    errors: list[FieldError] = []
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if len(errors) > MAX_ERRORS:
            break
        try:
            check_option(key[:SHOWN_CHARACTERS], value[:SHOWN_CHARACTERS] if isinstance(value, str) else value)
        except OptionRefusedError as error:
            errors.append(FieldError(pointer=pointer(["override_settings", shortened(key)]), message=str(error)))
    return errors


def check_prompt_syntax(params: ImageParams, *, prefix: str) -> None:
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
                emphasis=EmphasisMode(params.options.emphasis),
                disable_extra_networks=params.disable_extra_networks,
            )
        except PromptSyntaxError as error:
            syntax.append(FieldError(pointer=f"{prefix}/{field}", message=str(error)))
    if syntax:
        raise invalid(syntax)


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


def shown_prompt(params: TaskParams) -> str:
    """The beginning of the prompt on one line, without control characters; empty for a task without a prompt."""
    prompt = params.prompt[: 2 * SHOWN_PROMPT] if isinstance(params, ImageParams) else ""
    plain = "".join(character if character.isprintable() else " " for character in prompt)
    return " ".join(plain.split())[:SHOWN_PROMPT]


def megapixel_steps(params: TaskParams) -> Decimal:
    """What quotas count for the job; 0 for a task without steps."""
    return params.megapixel_steps() if isinstance(params, ImageParams) else Decimal(0)
