"""BLIP, which describes a picture in words, with WebUI's settings (semantics §6.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipTextConfig,
    BlipVisionConfig,
    StoppingCriteria,
    StoppingCriteriaList,
)

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.clip_pixels import square, to_clip_values
from inference_container.models.model_parts import ModelPart
from inference_container.models.tensor_file import incompatible
from inference_container.models.transformer_part import fill_module, read_config

PREFIX = "a picture of "
"""The prefix that BLIP continues; it is removed from the caption."""
TIED = {
    "text_decoder.cls.predictions.decoder.weight": "text_decoder.bert.embeddings.word_embeddings.weight",
    "text_decoder.cls.predictions.decoder.bias": "text_decoder.cls.predictions.bias",
}
VISION_NORM_EPS = 1e-6
"""As published and as in WebUI; the config.json of the port to transformers says 1e-5."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


class _EveryToken(StoppingCriteria):  # type: ignore[misc]
    """Never stops the generation; reports the number of tokens."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:  # noqa: ARG002
        self._tell(input_ids.shape[1])
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@dataclass
class Captioner:
    model: Any
    """transformers BlipForConditionalGeneration."""
    tokenizer: Any
    """transformers BertTokenizer."""
    device: torch.device
    dtype: torch.dtype

    def move_to(self, device: torch.device) -> None:
        """Move to another device and run there."""
        self.model.to(device)
        self.device = device

    @property
    def most_tokens(self) -> int:
        """The maximum length of a caption in tokens."""
        return int(self.model.config.text_config.max_position_embeddings)

    def caption(
        self, image: Image.Image, *, num_beams: int, min_length: int, max_length: int, tell: Callable[[int], None]
    ) -> str:
        """Describe the RGB picture; `tell` is called after each token with the number of tokens.

        Raises:
            JobFailed: invalid_params, if the model does not support such long captions.
        """
        if max_length > self.most_tokens:
            raise JobFailed(
                JobErrorCode.INVALID_PARAMS,
                f"received interrogate_clip_max_length = {max_length}; this model allows up to {self.most_tokens}",
            )
        side = int(self.model.config.vision_config.image_size)
        pixels = to_clip_values(square(image, side)).to(self.device, self.dtype)
        # The model's own `generate` replaces [CLS] by [DEC] and drops [SEP]: four tokens for BLIP's own words.
        prompt = self.tokenizer(PREFIX.strip(), return_tensors="pt").input_ids.to(self.device)
        tokens = self.model.generate(
            pixel_values=pixels,
            input_ids=prompt,
            do_sample=False,
            num_beams=num_beams,
            min_length=min_length,
            max_length=max_length,
            repetition_penalty=1.0,
            stopping_criteria=StoppingCriteriaList([_EveryToken(tell)]),
        )
        # The first token is [DEC], which BERT's own vocabulary does not have.
        said: str = self.tokenizer.decode(tokens[0, 1:], skip_special_tokens=True)
        return said[len(PREFIX) :]


def load_captioner(part: ModelPart, *, device: torch.device, dtype: torch.dtype) -> Captioner:
    """Load BLIP from a folder in transformers' layout: config.json, vocab.txt and the weights.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    vocabulary = {word.rstrip("\r"): number for number, word in enumerate(part.text("vocab.txt").split("\n")) if word}
    if lacking := [word for word in SPECIAL if word not in vocabulary]:
        raise incompatible(part.file, f"{part.folder}'s vocab.txt lacks {', '.join(lacking)}")
    model = fill_module(part, lambda: _build(part), tied=TIED, device=device, dtype=dtype)
    words = model.config.text_config.vocab_size
    if max(vocabulary.values()) >= words:
        raise incompatible(part.file, f"{part.folder}'s vocab.txt has more words than its vocab_size of {words}")
    return Captioner(model, BertTokenizer(vocab=vocabulary), device, dtype)


def _build(part: ModelPart) -> Any:
    config = read_config(part, BlipConfig, text=BlipTextConfig, vision=BlipVisionConfig)
    config.vision_config.layer_norm_eps = VISION_NORM_EPS
    return BlipForConditionalGeneration(config)
