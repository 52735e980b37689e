"""The family's CLIP text encoder, trained to understand captions before the UNet is trained with it."""

import itertools
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo_models.captions import WORDS, Caption, draw_training_text
from demo_models.judge import QUESTIONS
from demo_models.scenes import draw_scenes
from demo_models.tokenizer import LENGTH, load_tokenizer
from demo_models.training import Run, Schedule

WIDTH = 128
SCHEDULE = Schedule(steps=500, rate=1e-3, muon_rate=0.01, warm_up=50, decay=0.6, average=0.99, seed=3)
BATCH = 96
ANSWERS: dict[str, tuple[str, ...]] = {
    question: ("none", *(answer for answer in answers if answer != "none")) for question, answers in QUESTIONS.items()
}
"""The answers that a caption may give to each question; "none" if it gives none."""


def build_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    """Three layers of width 128 for the tokenizer's vocabulary."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids, shape (texts, 77), truncated and padded like a chunk in WebUI."""
    ids: Tensor = tokenizer(
        texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    ).input_ids
    return ids


class _Reader(nn.Module):
    """The text encoder with a linear head per question, which only training needs."""

    def __init__(self, config: CLIPTextConfig) -> None:
        super().__init__()
        self.encoder = CLIPTextModel(config)
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH, len(answers)) for name, answers in ANSWERS.items()})

    def forward(self, ids: Tensor, position: Tensor) -> dict[str, Tensor]:
        hidden = self.encoder(ids).last_hidden_state
        read = hidden[torch.arange(len(ids)), position]
        return {name: head(read) for name, head in self.heads.items()}


def _label(captions: list[Caption]) -> dict[str, Tensor]:
    return {
        name: torch.tensor([answers.index(caption.said.get(name, "none")) for caption in captions])
        for name, answers in ANSWERS.items()
    }


def train_text_encoder(folder: Path, *, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; writes `text_encoder.pt` and the tokenizer's files there."""
    tokenizer = load_tokenizer(WORDS, folder / "tokenizer")
    torch.manual_seed(schedule.seed)
    reader = _Reader(build_config(tokenizer))
    run = Run(reader, schedule=schedule, folder=folder)
    scenes = list(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), 20_000))

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"text:{step}")
        captions = [draw_training_text(scene, lot) for scene in lot.sample(scenes, BATCH)]
        ids = tokenize(tokenizer, [caption.text for caption in captions])
        end = (ids == tokenizer.eos_token_id).int().argmax(1)
        # The padding after the end has a loss too, because the UNet attends to all 77 positions.
        later = end + (torch.rand(len(end), generator=generator) * (LENGTH - end)).long()
        with torch.autocast("cpu", torch.bfloat16):
            logits = reader(ids, later)
        labels = _label(captions)
        terms = [functional.cross_entropy(logits[name].float(), labels[name]) for name in ANSWERS]
        right = torch.stack([logits[name].argmax(1) == labels[name] for name in ANSWERS]).all(0).float().mean()
        return {"loss": torch.stack(terms).sum(), "right": right}

    run.train(loss, name="text encoder")
    run.load_average()
    torch.save(reader.encoder.state_dict(), folder / "text_encoder.pt")


def load_text_encoder(folder: Path) -> tuple[CLIPTextModel, CLIPTokenizer]:
    """The trained text encoder and its tokenizer."""
    tokenizer = load_tokenizer(WORDS, folder / "tokenizer")
    encoder: Any = CLIPTextModel(build_config(tokenizer))
    encoder.load_state_dict(torch.load(folder / "text_encoder.pt", weights_only=True))
    return encoder.eval(), tokenizer
