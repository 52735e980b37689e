"""A tiny random CLIP text model, and a tokenizer that makes one token of each single-character word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from generate_on_cloud.webui.prompt.schedule import PromptClock
from inference_container.prompt.conditioning import Conditioning
from inference_container.prompt.encoder import EncoderOptions, PromptEncoder, TextualInversion
from inference_container.prompt.text_models import TextModel

WIDTH = 32
LAYERS = 3
CHARACTERS = [chr(code) for code in range(33, 127)]
VOCABULARY = {
    token: index
    for index, token in enumerate(
        [*CHARACTERS, *[f"{character}</w>" for character in CHARACTERS], "<|startoftext|>", "<|endoftext|>"]
    )
}
START = VOCABULARY["<|startoftext|>"]
END = VOCABULARY["<|endoftext|>"]


@dataclass(frozen=True)
class TinyClip:
    text_encoder: Any
    tokenizer: Any
    pad_token: int = END

    @property
    def model(self) -> TextModel:
        return TextModel(self.text_encoder, self.pad_token)

    def encoder(
        self, options: EncoderOptions | None = None, inversions: Sequence[TextualInversion] = ()
    ) -> PromptEncoder:
        return PromptEncoder(text_models=[self.model], tokenizer=self.tokenizer, options=options, inversions=inversions)

    def encode(self, prompt: str, options: EncoderOptions | None = None, *, steps: int = 20) -> Conditioning:
        (conditioning,) = self.encoder(options).encode([prompt], PromptClock(steps))
        return conditioning

    def tokens(self, prompt: str, options: EncoderOptions | None = None) -> Tensor:
        """The only embedding of a prompt without AND and times, shape (77·chunks, WIDTH)."""
        ((timed,),) = (part.timeline for part in self.encode(prompt, options).parts)
        return timed.embedding.tokens

    def plain(self, words: Sequence[str]) -> Tensor:
        """The model's own answer to one chunk of single-character words, shape (77, WIDTH)."""
        ids = [START, *[VOCABULARY[f"{word}</w>"] for word in words]]
        ids += [END] * (77 - len(ids))
        with torch.no_grad():
            hidden: Tensor = self.text_encoder(torch.tensor([ids])).last_hidden_state[0]
        return hidden


def build_text_encoder() -> Any:
    config = CLIPTextConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
    )
    torch.manual_seed(7)
    text_encoder = CLIPTextModel(config).eval()
    # Freshly made, the last LayerNorm's output has mean 0, which no trained model has and "Original" divides by.
    torch.nn.init.normal_(text_encoder.final_layer_norm.bias, mean=0.5)
    return text_encoder
