"""A CLIP text model run on chunks of tokens: clip skip, and vectors put in place of tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from inference_container.prompt.chunks import CHUNK_LENGTH, Chunk, Insertion

ROWS_AT_ONCE = 32
"""Chunks in one forward pass; bounds memory for prompts with many variants."""


class ClipTextEncoder:
    """Wraps a transformers `CLIPTextModel`, of the shape before or after 5.6 (without `.text_model`)."""

    def __init__(self, text_encoder: Any, *, clip_skip: int = 1, end_token: int, pad_token: int) -> None:
        """`clip_skip` is WebUI's option: 1 the last layer's output, N the N-th from the end (semantics §4.4).

        Raises:
            ValueError: fewer layers than `clip_skip` asks for.
        """
        layers = int(text_encoder.config.num_hidden_layers)
        if not 1 <= clip_skip <= layers:
            raise ValueError(f"received clip skip {clip_skip}; allowed: 1 to {layers}, this text encoder's layers")
        self._model = text_encoder
        self._clip_skip = clip_skip
        self._end_token = end_token
        self._pad_token = pad_token

    @property
    def width(self) -> int:
        """Numbers in one token's vector."""
        return int(self._model.config.hidden_size)

    @torch.no_grad()
    def encode(self, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor]) -> Tensor:
        """Shape (len(chunks), 77, width), float32. `vectors` holds shape (k, width) for every inserted name."""
        batches = [chunks[start : start + ROWS_AT_ONCE] for start in range(0, len(chunks), ROWS_AT_ONCE)]
        return torch.cat([self._encode_batch(batch, vectors) for batch in batches])

    def _encode_batch(self, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor]) -> Tensor:
        embedding = self._model.get_input_embeddings()
        rows = [self._padded(chunk.tokens) for chunk in chunks]
        ids = torch.tensor(rows, dtype=torch.long, device=embedding.weight.device)
        insertions = [chunk.insertions for chunk in chunks]

        def insert(_module: object, _inputs: object, output: Tensor) -> Tensor:
            return _with_insertions(output, insertions, vectors)

        handle = embedding.register_forward_hook(insert)
        try:
            outputs = self._model(ids, output_hidden_states=self._clip_skip > 1)
        finally:
            handle.remove()
        if self._clip_skip == 1:
            hidden: Tensor = outputs.last_hidden_state
        else:
            hidden = final_layer_norm(self._model)(outputs.hidden_states[-self._clip_skip])
        return hidden.float()

    def _padded(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Models with a padding token of their own see it after the first end token (SD2 and OpenCLIP: id 0)."""
        if self._pad_token == self._end_token:
            return tokens
        end = tokens.index(self._end_token) + 1
        return (*tokens[:end], *[self._pad_token] * (len(tokens) - end))


def final_layer_norm(text_encoder: Any) -> torch.nn.Module:
    """The last LayerNorm of a CLIP text model: transformers 5.6 dropped the `.text_model` level."""
    norm = getattr(text_encoder, "text_model", text_encoder).final_layer_norm
    if not isinstance(norm, torch.nn.Module):
        raise TypeError(f"received a text encoder whose final_layer_norm is {type(norm).__name__}; allowed: a module")
    return norm


def _with_insertions(
    embedded: Tensor, insertions: Sequence[Sequence[Insertion]], vectors: Mapping[str, Tensor]
) -> Tensor:
    if not any(insertions):
        return embedded
    embedded = embedded.clone()
    for row, places in zip(embedded, insertions, strict=True):
        for place in places:
            inserted = vectors[place.name].to(row)
            # offsets are those of a whole chunk, so the last place before the end token bounds what fits
            stop = min(place.offset + len(inserted), CHUNK_LENGTH + 1)
            row[place.offset : stop] = inserted[: stop - place.offset]
    return embedded
