"""Encodes prompts as WebUI 1.10.1 does, from text to conditioning (semantics §4)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.webui.prompt.emphasis import (
    EmphasisMode,
    PartText,
    WeightedText,
    parse_emphasis,
    split_composition,
)
from generate_on_cloud.webui.prompt.errors import PromptSyntaxError
from generate_on_cloud.webui.prompt.schedule import PromptClock, TimedText, schedule_prompt
from inference_container.prompt.chunks import (
    CHUNK_LENGTH,
    Chunk,
    SpecialTokens,
    TokenisedText,
    empty_chunk,
    split_into_chunks,
)
from inference_container.prompt.clip import ClipTextEncoder
from inference_container.prompt.conditioning import Conditioning, PromptPart, TextEmbedding, TimedEmbedding
from inference_container.prompt.inversions import InversionMatcher, InversionName
from inference_container.prompt.old_emphasis import bracket_factors, old_chunk
from inference_container.prompt.text_models import TextKind, TextModel

MAX_CHUNKS = 2048
"""Maximum chunks of a prompt over all its variants: half a gigabyte of vectors for SD1."""


@dataclass(frozen=True)
class EncoderOptions:
    """WebUI's options that change how prompts are encoded."""

    clip_skip: int = 1
    """CLIP_stop_at_last_layers, from 1 to the number of layers; no effect on Stable Diffusion 2.x and XL."""
    sdxl_clip_l_skip: bool = False
    """Whether `clip_skip` affects the CLIP-L encoder of Stable Diffusion XL."""
    emphasis: EmphasisMode = EmphasisMode.ORIGINAL
    comma_padding_backtrack: int = 20
    old_emphasis: bool = False
    """`use_old_emphasis_implementation`, for checkpoints with CLIP-L alone; WebUI fails with others."""


@dataclass(frozen=True)
class TextualInversion:
    """A loaded embedding file."""

    name: str
    vectors: Mapping[TextKind, Tensor]
    """A tensor (k, width) for each text encoder of the checkpoint, with the same k, 1 ≤ k ≤ 75."""
    shown: str | None = None
    """Shown after its name in infotexts: the start of its file's SHA-256, or the name of the network that bundles it;
    None keeps it out of infotexts."""


class PromptEncoder:
    """A checkpoint's text encoders with a request's options; create a new one after LoRAs change their weights."""

    def __init__(
        self,
        *,
        text_models: Sequence[TextModel],
        tokenizer: Any,
        options: EncoderOptions | None = None,
        inversions: Sequence[TextualInversion] = (),
    ) -> None:
        """Wrap a checkpoint's text encoders and transformers' `CLIPTokenizer`.

        Raises:
            ValueError: clip skip exceeds the number of layers, an embedding has another width or over 75 vectors, or
                old emphasis is asked of other text encoders than CLIP-L.
        """
        self._options = options or EncoderOptions()
        self._tokenizer = tokenizer
        self._special = SpecialTokens(
            start=tokenizer.bos_token_id, end=tokenizer.eos_token_id, comma=tokenizer.get_vocab().get(",</w>")
        )
        self._clips = {
            model.kind: ClipTextEncoder(
                model,
                clip_skip=self._options.clip_skip,
                sdxl_clip_l_skip=self._options.sdxl_clip_l_skip,
                end_token=self._special.end,
            )
            for model in text_models
        }
        self._dtype = next(iter(self._clips.values())).dtype
        self._inversions = {inversion.name: inversion for inversion in inversions}
        self._matcher = InversionMatcher(self._name_of(inversion) for inversion in inversions)
        self._brackets: Mapping[int, float] = {}
        if self._options.old_emphasis:
            if [model.kind for model in text_models] != [TextKind.CLIP_L]:
                raise ValueError(
                    f"received use_old_emphasis_implementation with the text encoders {', '.join(self._clips)}; "
                    f"allowed: {TextKind.CLIP_L} alone, as in Stable Diffusion 1"
                )
            if self._options.emphasis is not EmphasisMode.NONE:
                self._brackets = bracket_factors(tokenizer.get_vocab())
        self._hashes: list[str] = []
        self._has_brackets = False

    def infotext_extra(self) -> dict[str, str]:
        """The entries of `extra_generation_params` for the prompts encoded so far (semantics §7)."""
        extra = {"TI hashes": ", ".join(self._hashes)} if self._hashes else {}
        if self._has_brackets and self._options.emphasis is not EmphasisMode.ORIGINAL:
            extra["Emphasis"] = self._options.emphasis.value
        return extra

    def encode(self, prompts: Sequence[str], clock: PromptClock) -> list[Conditioning]:
        """Encode positive prompts without tags: one conditioning for each, all with the same number of tokens.

        Raises:
            PromptSyntaxError: WebUI would answer with an error.
        """
        compositions = {prompt: split_composition(prompt) for prompt in prompts}
        return self._encode([compositions[prompt] for prompt in prompts], clock)

    def encode_negative(self, prompts: Sequence[str], clock: PromptClock) -> list[Conditioning]:
        """Encode negative prompts as `encode` does, except that AND, tags and a trailing weight are text.

        Raises:
            PromptSyntaxError: WebUI would answer with an error.
        """
        return self._encode([(PartText(prompt, 1.0),) for prompt in prompts], clock, empty_is_zero=True)

    def encode_text(self, texts: Sequence[str]) -> list[Conditioning]:
        """Encode texts that stay the same at every step: prompt edits, AND and tags are text."""
        return [
            Conditioning((PromptPart(1.0, self._encode_schedule([TimedText(0, text)], empty_is_zero=False)),))
            for text in texts
        ]

    def _encode(
        self, compositions: Sequence[Sequence[PartText]], clock: PromptClock, *, empty_is_zero: bool = False
    ) -> list[Conditioning]:
        texts = dict.fromkeys(part.text for parts in compositions for part in parts)
        timelines = {
            text: self._encode_schedule(schedule_prompt(text, clock), empty_is_zero=empty_is_zero) for text in texts
        }
        length = max((timed.embedding.tokens.shape[0] for line in timelines.values() for timed in line), default=0)
        padded = {text: tuple(_pad(timed, length) for timed in line) for text, line in timelines.items()}
        return [
            Conditioning(tuple(PromptPart(part.weight, padded[part.text]) for part in parts)) for parts in compositions
        ]

    def _encode_schedule(self, schedule: Sequence[TimedText], *, empty_is_zero: bool) -> tuple[TimedEmbedding, ...]:
        # The mean is restored over all variants together, weighted by how often the schedule names each.
        variants = Counter(timed.text for timed in schedule)
        stack = [self._chunks(text) for text in variants]
        length = max(map(len, stack))
        filler = empty_chunk(self._special)
        if length * len(stack) > MAX_CHUNKS:
            raise PromptSyntaxError(
                f"received a prompt of {length} chunks with {len(stack)} variants over time; "
                f"allowed: {MAX_CHUNKS} chunks over all variants"
            )
        rows = [chunk for chunks in stack for chunk in (*chunks, *[filler] * (length - len(chunks)))]
        tokens, pooled = self._vectors_of(rows, counts=list(variants.values()))
        # Stable Diffusion XL was trained with zeros in place of an empty text (semantics §4.4).
        silent = empty_is_zero and pooled is not None and not any(variants)
        embeddings = {}
        for index, text in enumerate(variants):
            embedding = TextEmbedding(tokens[index], None if pooled is None else pooled[index])
            embeddings[text] = embedding.silenced() if silent else embedding
        return tuple(TimedEmbedding(timed.until, embeddings[timed.text]) for timed in schedule)

    def _vectors_of(self, rows: Sequence[Chunk], *, counts: list[int]) -> tuple[Tensor, Tensor | None]:
        """Tokens (variants, 77·chunks, all widths) and pooled (variants, width) of variants with equal chunk counts."""
        tokens, pooled = [], None
        for kind, clip in self._clips.items():
            if not self._options.old_emphasis:  # which notes nothing in WebUI
                self._note_inversions(rows, variants=len(counts))
            vectors = {name: inversion.vectors[kind] for name, inversion in self._inversions.items()}
            encoded = clip.encode(rows, vectors)
            weighted = self._weigh(rows, encoded.tokens, counts=counts)
            tokens.append(weighted.reshape(len(counts), -1, clip.width).to(self._dtype))
            if encoded.pooled is not None:
                # Taken from each variant's first chunk, without weights.
                pooled = encoded.pooled.reshape(len(counts), -1, encoded.pooled.shape[-1])[:, 0].to(self._dtype)
        return torch.cat(tokens, dim=-1), pooled

    def _note_inversions(self, rows: Sequence[Chunk], *, variants: int) -> None:
        """As in WebUI, record them at every call of a text encoder, before earlier ones, by chunk."""
        length = len(rows) // variants
        ordered = [rows[variant * length + place] for place in range(length) for variant in range(variants)]
        used = dict.fromkeys(place.name for chunk in ordered for place in chunk.insertions)
        shown = [(name, self._inversions[name].shown) for name in used]
        new = [f"{name.replace(':', '').replace(',', '')}: {word}" for name, word in shown if word is not None]
        self._hashes = new + self._hashes

    def _weigh(self, rows: Sequence[Chunk], encoded: Tensor, *, counts: Sequence[int]) -> Tensor:
        """Apply emphasis to float32 (variants · chunks, 77, width); `counts` has one number for each variant."""
        if self._options.emphasis not in (EmphasisMode.ORIGINAL, EmphasisMode.NO_NORM):
            return encoded
        weights = torch.tensor([chunk.weights for chunk in rows], dtype=torch.float32, device=encoded.device)
        weighted = encoded * weights[..., None]
        if self._options.emphasis is EmphasisMode.NO_NORM or bool((weights == 1).all()):
            return weighted
        shape = (len(counts), -1, CHUNK_LENGTH + 2, encoded.shape[-1])
        shares = torch.tensor(counts, dtype=torch.float32, device=encoded.device) / sum(counts)
        before = _mean_of_stack(encoded.reshape(shape), shares)
        after = _mean_of_stack(weighted.reshape(shape), shares)
        return (weighted.reshape(shape) * (before / after)[None, :, None, None]).reshape(encoded.shape)

    def _chunks(self, text: str) -> tuple[Chunk, ...]:
        if self._options.old_emphasis:
            (tokens,) = self._tokenise([text])
            return (old_chunk(tokens, factors=self._brackets, special=self._special, inversions=self._matcher),)
        self._has_brackets |= "(" in text or "[" in text
        if self._options.emphasis is EmphasisMode.NONE:
            pieces: tuple[WeightedText, ...] = (WeightedText(text, 1.0),)
        else:
            pieces = parse_emphasis(text)
        tokenised = self._tokenise([piece.text for piece in pieces])
        return split_into_chunks(
            (
                TokenisedText(tokens, piece.weight, piece.is_break)
                for piece, tokens in zip(pieces, tokenised, strict=True)
            ),
            special=self._special,
            comma_backtrack=self._options.comma_padding_backtrack,
            inversions=self._matcher,
        )

    def _tokenise(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(texts, truncation=False, add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    def _name_of(self, inversion: TextualInversion) -> InversionName:
        found = {kind: tuple(vectors.shape) for kind, vectors in inversion.vectors.items()}
        length = next((shape[0] for shape in found.values()), 0)
        if (
            found != {kind: (length, clip.width) for kind, clip in self._clips.items()}
            or not 1 <= length <= CHUNK_LENGTH
        ):
            received = ", ".join(f"{kind} {shape[0]} vectors of {shape[1]}" for kind, shape in found.items())
            allowed = ", ".join(f"{kind} 1 to {CHUNK_LENGTH} of {clip.width}" for kind, clip in self._clips.items())
            raise ValueError(f"received embedding {inversion.name!r} with {received or 'nothing'}; allowed: {allowed}")
        (token_ids,) = self._tokenise([inversion.name])
        if not token_ids:
            raise ValueError(f"received embedding {inversion.name!r}; allowed: a name that contains a word")
        return InversionName(inversion.name, tuple(token_ids), length)


def _mean_of_stack(stack: Tensor, shares: Tensor) -> Tensor:
    """Means per chunk, shape (chunks,), of (variants, chunks, 77, width), weighted by the variants' shares."""
    return (stack.mean(dim=(2, 3)) * shares[:, None]).sum(dim=0)


def _pad(timed: TimedEmbedding, length: int) -> TimedEmbedding:
    """Repeat the last token's vector up to `length` tokens, as WebUI does for the shorter parts of a sum."""
    tokens = timed.embedding.tokens
    missing = length - tokens.shape[0]
    if missing == 0:
        return timed
    padded = torch.cat([tokens, tokens[-1:].expand(missing, -1)])
    return TimedEmbedding(timed.until, TextEmbedding(padded, timed.embedding.pooled))
