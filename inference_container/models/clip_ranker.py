"""CLIP, which ranks phrases by how well they describe a picture (semantics §6.1)."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from inference_container.interrogation.phrases import clean_phrase
from inference_container.models.clip_pixels import center, to_clip_values
from inference_container.models.clip_tokenizer import build_clip_tokenizer
from inference_container.models.model_config import TokenizerConfig, read_merges
from inference_container.models.model_parts import ModelPart
from inference_container.models.tensor_file import incompatible
from inference_container.models.transformer_part import fill_module, read_config

SHARPNESS = 100.0
"""The factor for similarities before the softmax; the model's own scale is ignored."""
BATCH = 128
"""Phrases encoded at once."""


@dataclass
class ClipRanker:
    model: Any
    """transformers CLIPModel."""
    tokenizer: Any
    """transformers CLIPTokenizer."""
    device: torch.device
    dtype: torch.dtype
    known: dict[str, Tensor] = field(default_factory=dict)
    """Features of each list's phrases computed so far, (phrases, width), float32 on the CPU."""

    def move_to(self, device: torch.device) -> None:
        """Move to another device and run there."""
        self.model.to(device)
        self.device = device

    def look(self, image: Image.Image) -> Tensor:
        """Features of the RGB picture: (1, width), float32, normalised to length 1."""
        side = int(self.model.config.vision_config.image_size)
        pixels = to_clip_values(center(image, side)).to(self.device, self.dtype)
        return _unit(self.model.get_image_features(pixel_values=pixels).pooler_output)

    def features(self, name: str, phrases: Sequence[str], *, tell: Callable[[int], None]) -> Tensor:
        """Features, normalised to length 1, of the first phrases of the list `name`; they are computed once and kept.

        `tell` is called after each batch with the number of phrases.
        """
        known = self.known.get(name)
        done = 0 if known is None else min(len(known), len(phrases))
        parts = [] if known is None else [known[:done]]
        tell(done)
        for start in range(done, len(phrases), BATCH):
            batch = [clean_phrase(phrase) for phrase in phrases[start : start + BATCH]]
            # Attention is causal, so padding after the end of a phrase does not change its features.
            tokens = self.tokenizer(batch, padding="longest", truncation=True, return_tensors="pt").input_ids
            parts.append(_unit(self.model.get_text_features(input_ids=tokens.to(self.device)).pooler_output))
            tell(start + len(batch))
        found = torch.cat(parts) if parts else torch.zeros(0, 1)
        if known is None or len(found) > len(known):
            self.known[name] = found
        return found

    @staticmethod
    def rank(picture: Tensor, phrases: Tensor) -> Tensor:
        """Probabilities of the phrases, assuming that one of them fits: (phrases,), with sum 1."""
        return (SHARPNESS * picture @ phrases.T).softmax(dim=-1)[0]


def _unit(features: Tensor) -> Tensor:
    wide = features.float().cpu()
    unit: Tensor = wide / wide.norm(dim=-1, keepdim=True)
    return unit


def load_ranker(part: ModelPart, *, device: torch.device, dtype: torch.dtype) -> ClipRanker:
    """Load CLIP from a folder in transformers' layout: config.json, vocab.json, merges.txt and the weights.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    model = fill_module(
        part,
        lambda: CLIPModel(read_config(part, CLIPConfig, text=CLIPTextConfig, vision=CLIPVisionConfig)),
        tied={},
        device=device,
        dtype=dtype,
    )
    text = model.config.text_config
    try:
        words = TokenizerConfig.model_validate(
            {
                "vocabulary": json.loads(part.text("vocab.json")),
                "merges": read_merges(part.text("merges.txt")),
                "model_max_length": text.max_position_embeddings,
            }
        )
    except (RecursionError, ValueError) as error:
        raise incompatible(
            part.file, f"{part.folder}'s vocab.json and merges.txt are not a vocabulary: {error}"
        ) from error
    tokenizer = build_clip_tokenizer(part.file, words, vocabulary_size=text.vocab_size)
    return ClipRanker(model, tokenizer, device, dtype)
