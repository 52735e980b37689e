"""The prompts of a request: what infotext shows of them, and what the UNet attends to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import ImageParams, Txt2ImgParams
from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice
from generate_on_cloud.webui.infotext.record import InfoValue
from generate_on_cloud.webui.prompt.comments import strip_comments
from generate_on_cloud.webui.prompt.emphasis import EmphasisMode
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError, StyleError
from generate_on_cloud.webui.prompt.extra_networks import NO_NETWORKS, NetworkPlan, extract_tags, plan_networks
from generate_on_cloud.webui.prompt.schedule import PromptClock, schedule_prompt
from generate_on_cloud.webui.prompt.styles import Style, apply_styles
from inference_container.models.checkpoint import Checkpoint
from inference_container.prompt.conditioning import Conditioning
from inference_container.prompt.encoder import EncoderOptions, PromptEncoder, TextualInversion

Result = TypeVar("Result")


@dataclass(frozen=True)
class Wording:
    """Both prompts, styles applied and comments removed, extra-network tags still inside: as infotext shows them."""

    prompt: str
    negative_prompt: str
    networks: NetworkPlan = NO_NETWORKS
    """What the tags of the positive prompt ask for, for the whole pass."""


def read_wording(params: ImageParams, styles: Mapping[str, Style]) -> Wording:
    """The request's prompts; `styles` are those there are.

    Raises:
        JobFailed: invalid_params, a tag that cannot be read or a style that is not there.
    """
    return _read(params, params.prompt, params.negative_prompt, styles)


def read_hires_wording(params: Txt2ImgParams, styles: Mapping[str, Style]) -> Wording:
    """The prompts of the second pass, those of the first where they are empty; raises as `read_wording`."""
    prompt, negative_prompt = params.hr_prompt or params.prompt, params.hr_negative_prompt or params.negative_prompt
    return _read(params, prompt, negative_prompt, styles)


def _read(params: ImageParams, prompt: str, negative_prompt: str, styles: Mapping[str, Style]) -> Wording:
    try:
        prompt, negative_prompt = apply_styles(prompt, negative_prompt, names=params.styles, styles=styles)
    except StyleError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"styles: {error}") from error
    if params.options.enable_prompt_comments:
        prompt, negative_prompt = strip_comments(prompt), strip_comments(negative_prompt)
    try:
        networks = NO_NETWORKS if params.disable_extra_networks else plan_networks(extract_tags(prompt).tags)
    except PromptSyntaxError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"prompt: {error}") from error
    return Wording(prompt, negative_prompt, networks)


class Conditioner:
    """Encodes the prompts of one request with its checkpoint and options."""

    def __init__(
        self,
        *,
        checkpoint: Checkpoint,
        params: ImageParams,
        inversions: Sequence[TextualInversion] = (),
        hires_choice: SamplerChoice | None = None,
        hires_steps: int | None = None,
    ) -> None:
        """`hires_choice` and `hires_steps` are the second pass's, for its prompts.

        Raises:
            JobFailed: invalid_params, a clip skip the text encoder has no layers for.
        """
        choice = params.sampler_choice()
        self._clock = PromptClock(
            steps=params.steps,
            second_order=SAMPLERS[choice.sampler].second_order,
            hires_steps=hires_steps,
            hires_second_order=hires_choice is not None and SAMPLERS[hires_choice.sampler].second_order,
            use_old_scheduling=params.options.use_old_scheduling,
        )
        options = EncoderOptions(
            clip_skip=params.options.CLIP_stop_at_last_layers,
            sdxl_clip_l_skip=params.options.sdxl_clip_l_skip,
            emphasis=EmphasisMode(params.options.emphasis),
            comma_padding_backtrack=params.options.comma_padding_backtrack,
        )
        try:
            self._encoder = PromptEncoder(
                text_models=checkpoint.text_models,
                tokenizer=checkpoint.tokenizer,
                options=options,
                inversions=inversions,
            )
        except ValueError as error:
            raise JobFailed(JobErrorCode.INVALID_PARAMS, str(error)) from error

    def positive(self, prompts: Sequence[str]) -> tuple[Conditioning, ...]:
        """One conditioning a prompt; extra-network tags are no text.

        Raises:
            JobFailed: invalid_params, a prompt that cannot be read.
        """
        texts = [extract_tags(prompt).text for prompt in prompts]
        return self._encode("prompt", lambda: tuple(self._encoder.encode(texts, self._clock)))

    def negative(self, prompts: Sequence[str]) -> tuple[Conditioning, ...]:
        """Like `positive`, but tags and AND are text."""
        return self._encode("negative_prompt", lambda: tuple(self._encoder.encode_negative(prompts, self._clock)))

    def infotext_extra(self, wording: Wording) -> dict[str, InfoValue]:
        """What encoding these prompts, which has been done, adds to infotext."""
        old = self._clock.use_old_scheduling and any(
            schedule_prompt(text, self._clock) != schedule_prompt(text, replace(self._clock, use_old_scheduling=False))
            for text in (extract_tags(wording.prompt).text, wording.negative_prompt)
        )
        return {**({"Old prompt editing timelines": True} if old else {}), **self._encoder.infotext_extra()}

    def empty_chunk(self) -> Tensor:
        """The encoded empty prompt, shape (77, dim)."""
        (empty,) = self._encoder.encode([""], self._clock)
        return empty.parts[0].at(0).tokens

    def _encode(self, field: str, encode: Callable[[], Result]) -> Result:
        try:
            return encode()
        except PromptSyntaxError as error:
            raise JobFailed(JobErrorCode.INVALID_PARAMS, f"{field}: {error}") from error
