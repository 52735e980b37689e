"""Runs a CLIP text model on chunks of tokens, with clip skip and embeddings in place of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference_container.prompt.chunks import CHUNK_LENGTH, Chunk, Insertion
from inference_container.prompt.text_models import TextModel

ROWS_AT_ONCE = 32
"""Chunks per forward pass; bounds the memory for prompts with many variants."""


@dataclass(frozen=True)
class EncodedChunks:
    tokens: Tensor
    """Shape (chunks, 77, width), float32."""
    pooled: Tensor | None
    """Shape (chunks, projection), float32; None unless the UNet uses it."""


class ClipTextEncoder:
    """Wraps a text model of transformers, from before 5.6 or later (without `.text_model`)."""

    def __init__(self, model: TextModel, *, clip_skip: int = 1, sdxl_clip_l_skip: bool = False, end_token: int) -> None:
        """Wrap `model`. `clip_skip` is WebUI's option: N uses the N-th layer from the end (semantics §4.4).

        Raises:
            ValueError: `clip_skip` exceeds the number of layers.
        """
        layers = int(model.encoder.config.num_hidden_layers)
        self._layer = model.reading.layer_for(clip_skip, sdxl_clip_l_skip=sdxl_clip_l_skip)
        if not 1 <= self._layer <= layers:
            raise ValueError(f"received clip skip {clip_skip}; allowed: 1 to {layers}, this text encoder's layers")
        self._text = model
        self._model = model.encoder
        self._end_token = end_token

    @property
    def width(self) -> int:
        """Width of a token's vector."""
        return int(self._model.config.hidden_size)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        dtype: torch.dtype = self._model.get_input_embeddings().weight.dtype
        return dtype

    @torch.no_grad()
    def encode(self, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor]) -> EncodedChunks:
        """Encode chunks; `vectors` has a tensor (k, width) for every inserted name."""
        batches = [
            self._encode_batch(chunks[start : start + ROWS_AT_ONCE], vectors)
            for start in range(0, len(chunks), ROWS_AT_ONCE)
        ]
        pooled = [batch.pooled for batch in batches if batch.pooled is not None]
        return EncodedChunks(torch.cat([batch.tokens for batch in batches]), torch.cat(pooled) if pooled else None)

    def _encode_batch(self, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor]) -> EncodedChunks:
        embedding = self._model.get_input_embeddings()
        rows = [self._padded(chunk.tokens) for chunk in chunks]
        ids = torch.tensor(rows, dtype=torch.long, device=embedding.weight.device)
        insertions = [chunk.insertions for chunk in chunks]

        def insert(_module: object, _inputs: object, output: Tensor) -> Tensor:
            return _with_insertions(output, insertions, vectors)

        handle = embedding.register_forward_hook(insert)
        last_is_enough = self._layer == 1 and self._text.reading.normed
        try:
            outputs = self._model(ids, output_hidden_states=not last_is_enough)
        finally:
            handle.remove()
        if last_is_enough:
            hidden: Tensor = outputs.last_hidden_state
        else:
            hidden = outputs.hidden_states[-self._layer]
            if self._text.reading.normed:
                hidden = final_layer_norm(self._model)(hidden)
        return EncodedChunks(hidden.float(), self._pool(outputs.last_hidden_state, rows))

    def _pool(self, last: Tensor, rows: Sequence[tuple[int, ...]]) -> Tensor | None:
        """The text projection of the first end token, as in OpenCLIP."""
        if not self._text.reading.pooled:
            return None
        ends = [row.index(self._end_token) for row in rows]
        projected: Tensor = self._model.text_projection(last[torch.arange(len(ends)), ends])
        return projected.float()

    def _padded(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Replace what follows the first end token by the model's own padding token (id 0 in SD2 and OpenCLIP)."""
        if self._text.pad_token == self._end_token:
            return tokens
        end = tokens.index(self._end_token) + 1
        return (*tokens[:end], *[self._text.pad_token] * (len(tokens) - end))


def final_layer_norm(text_encoder: Any) -> torch.nn.Module:
    """The last LayerNorm of a CLIP text model; transformers 5.6 removed the level `.text_model`."""
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
            # offsets count from the start of the whole chunk, so vectors must end before its end token
            stop = min(place.offset + len(inserted), CHUNK_LENGTH + 1)
            row[place.offset : stop] = inserted[: stop - place.offset]
    return embedded
