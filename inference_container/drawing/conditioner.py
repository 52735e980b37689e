"""Encodes the prompts of a request into what the UNet attends to at each step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice
from generate_on_cloud.webui.infotext.record import InfoValue
from generate_on_cloud.webui.prompt.emphasis import EmphasisMode
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.extra_networks import extract_tags
from generate_on_cloud.webui.prompt.schedule import PromptClock, schedule_prompt
from inference_container.drawing.prompts import Prompts
from inference_container.models.checkpoint import Checkpoint
from inference_container.prompt.conditioning import Conditioning
from inference_container.prompt.encoder import EncoderOptions, PromptEncoder, TextualInversion

Result = TypeVar("Result")


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
            JobFailed: invalid_params, if the text encoder has too few layers for the clip skip.
        """
        choice, asked = params.sampler_choice(), params.options
        self._clock = PromptClock(
            steps=params.steps,
            second_order=SAMPLERS[choice.sampler].second_order,
            hires_steps=hires_steps,
            hires_second_order=hires_choice is not None and SAMPLERS[hires_choice.sampler].second_order,
            use_old_scheduling=asked.use_old_scheduling,
        )
        options = EncoderOptions(
            clip_skip=asked.CLIP_stop_at_last_layers,
            sdxl_clip_l_skip=asked.sdxl_clip_l_skip,
            emphasis=EmphasisMode(asked.emphasis),
            comma_padding_backtrack=asked.comma_padding_backtrack,
            old_emphasis=asked.use_old_emphasis_implementation,
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
        """One conditioning per prompt; extra-network tags are not encoded.

        Raises:
            JobFailed: invalid_params, if a prompt cannot be parsed.
        """
        texts = [extract_tags(prompt).text for prompt in prompts]
        return self._encode("prompt", lambda: tuple(self._encoder.encode(texts, self._clock)))

    def negative(self, prompts: Sequence[str]) -> tuple[Conditioning, ...]:
        """Like `positive`, but tags and AND are encoded as text."""
        return self._encode("negative_prompt", lambda: tuple(self._encoder.encode_negative(prompts, self._clock)))

    def plain(self, texts: Sequence[str]) -> tuple[Conditioning, ...]:
        """One conditioning per text, the same at every step; prompt edits, AND and tags are text."""
        return tuple(self._encoder.encode_text(texts))

    def infotext_extra(self, prompts: Prompts) -> dict[str, InfoValue]:
        """Infotext entries for these prompts, which must have been encoded."""
        return {**self.timeline_extra(prompts), **self._encoder.infotext_extra()}

    def timeline_extra(self, prompts: Prompts) -> dict[str, InfoValue]:
        """The infotext entry for prompts whose timelines WebUI's old rules change."""
        old = self._clock.use_old_scheduling and any(
            schedule_prompt(text, self._clock) != schedule_prompt(text, replace(self._clock, use_old_scheduling=False))
            for text in (extract_tags(prompts.prompt).text, prompts.negative_prompt)
        )
        return {"Old prompt editing timelines": True} if old else {}

    def empty_chunk(self) -> Tensor:
        """The encoded empty prompt, shape (77, dim)."""
        (empty,) = self._encoder.encode([""], self._clock)
        return empty.parts[0].at(0).tokens

    def _encode(self, field: str, encode: Callable[[], Result]) -> Result:
        try:
            return encode()
        except PromptSyntaxError as error:
            raise JobFailed(JobErrorCode.INVALID_PARAMS, f"{field}: {error}") from error
