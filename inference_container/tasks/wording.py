"""The prompts of a request: what infotext shows of them, and what the UNet attends to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from inference_container.contract.errors import JobErrorCode, JobFailed
from inference_container.contract.params import ImageParams
from inference_container.contract.samplers import SAMPLERS
from inference_container.models.checkpoint import Checkpoint
from inference_container.prompt.comments import strip_comments
from inference_container.prompt.conditioning import Conditioning
from inference_container.prompt.emphasis import EmphasisMode
from inference_container.prompt.encoder import EncoderOptions, PromptEncoder
from inference_container.prompt.errors import PromptSyntaxError
from inference_container.prompt.extra_networks import HYPERNET_KIND, LORA_KINDS, extract_tags
from inference_container.prompt.schedule import PromptClock

Result = TypeVar("Result")


@dataclass(frozen=True)
class Wording:
    """Both prompts, comments removed, extra-network tags still inside: as infotext shows them."""

    prompt: str
    negative_prompt: str


def read_wording(params: ImageParams) -> Wording:
    """The request's prompts.

    Raises:
        JobFailed: not_supported_yet, when the prompt names a LoRA or a hypernetwork.
    """
    prompt, negative_prompt = params.prompt, params.negative_prompt
    if params.option("enable_prompt_comments"):
        prompt, negative_prompt = strip_comments(prompt), strip_comments(negative_prompt)
    if not params.disable_extra_networks:
        for tag in extract_tags(prompt).tags:
            if tag.kind in LORA_KINDS or tag.kind == HYPERNET_KIND:
                message = f"prompt: {tag.text} is not supported yet; disable_extra_networks draws without it"
                raise JobFailed(JobErrorCode.NOT_SUPPORTED_YET, message)
    return Wording(prompt, negative_prompt)


class Conditioner:
    """Encodes the prompts of one request with its checkpoint and options."""

    def __init__(self, *, checkpoint: Checkpoint, params: ImageParams) -> None:
        """
        Raises:
            JobFailed: invalid_params, a clip skip the text encoder has no layers for.
        """
        choice = params.sampler_choice()
        self._clock = PromptClock(
            steps=params.steps,
            second_order=SAMPLERS[choice.sampler].second_order,
            use_old_scheduling=bool(params.option("use_old_scheduling")),
        )
        options = EncoderOptions(
            clip_skip=int(params.option("CLIP_stop_at_last_layers")),
            emphasis=EmphasisMode(str(params.option("emphasis"))),
            comma_padding_backtrack=int(params.option("comma_padding_backtrack")),
        )
        try:
            self._encoder = PromptEncoder(
                text_encoder=checkpoint.text_encoder, tokenizer=checkpoint.tokenizer, options=options
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

    def empty_chunk(self) -> Tensor:
        """The encoded empty prompt, shape (77, dim)."""
        (empty,) = self._encoder.encode_negative([""], self._clock)
        return empty.parts[0].at(0).tokens

    def _encode(self, field: str, encode: Callable[[], Result]) -> Result:
        try:
            return encode()
        except PromptSyntaxError as error:
            raise JobFailed(JobErrorCode.INVALID_PARAMS, f"{field}: {error}") from error
