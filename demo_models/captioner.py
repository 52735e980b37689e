"""The family's caption model: a small BLIP that describes pictures."""

import itertools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BlipConfig, BlipForConditionalGeneration

from demo_models.autoencoder import render_training_pictures
from demo_models.captions import WORDS, describe
from demo_models.judge import QUESTIONS, blemish, read_scene
from demo_models.renderer import SIDE
from demo_models.scenes import Scene, draw_scenes
from demo_models.training import Run, Schedule

WIDTH, LAYERS, HEADS, PATCH = 128, 4, 4, 8
"""Size of the vision tower, which is the same in the family's CLIP."""
MEAN, SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of red, green and blue in the inputs of CLIP and BLIP."""
PREFIX = "a picture of"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]")
VOCABULARY = (
    *SPECIAL,
    ",",
    *dict.fromkeys((*WORDS, "drawing", "dark", "outline", "soft", "shadow", "simple", "one", "two", "shapes")),
)
"""The lines of vocab.txt: one token per word."""
SCHEDULE = Schedule(steps=1_250, rate=1.5e-3, muon_rate=0.015, warm_up=100, decay=0.6, average=0.99, seed=6)
PICTURES = 20_000
BATCH = 64


def phrase(scene: Scene) -> str:
    """The caption that the model learns: the whole scene, and long enough for WebUI's minimum of 24 tokens."""
    count = "two shapes" if scene.arrangement else "one shape"
    return f"{PREFIX} {describe(scene)}, a simple drawing of {count} with a dark outline and a soft shadow"


def tokenize(texts: list[str]) -> Tensor:
    """Token ids [DEC] words [SEP], padded, shape (texts, longest)."""
    numbers = {word: number for number, word in enumerate(VOCABULARY)}
    rows = [["[DEC]", *text.replace(",", " ,").split(), "[SEP]"] for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([[numbers[word] for word in row + ["[PAD]"] * (longest - len(row))] for row in rows])


def build_config() -> BlipConfig:
    """Four vision layers and two text layers."""
    number = VOCABULARY.index
    return BlipConfig(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "image_size": SIDE,
            "patch_size": PATCH,
            "initializer_range": 0.02,
        },
        text_config={
            "vocab_size": len(VOCABULARY),
            "hidden_size": WIDTH,
            "encoder_hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": HEADS,
            "max_position_embeddings": 256,
            "pad_token_id": number("[PAD]"),
            "bos_token_id": number("[DEC]"),
            "sep_token_id": number("[SEP]"),
            "eos_token_id": number("[SEP]"),
        },
    )


def to_clip_range(pictures: Tensor) -> Tensor:
    """Normalise pictures in −1…1 for CLIP and BLIP."""
    mean, spread = (torch.tensor(row)[:, None, None] for row in (MEAN, SPREAD))
    return ((pictures + 1) / 2 - mean) / spread


class _Pupil(nn.Module):
    """The caption model with a linear head per question, which only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Any = BlipForConditionalGeneration(build_config())
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH, len(answers)) for name, answers in QUESTIONS.items()})


def train_captioner(folder: Path, *, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; finally writes `captioner.pt` there."""
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=schedule.seed)
    scenes = list(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), PICTURES))
    readings = [read_scene(scene) for scene in scenes]
    ids = tokenize([phrase(scene) for scene in scenes])
    pad, prefix = VOCABULARY.index("[PAD]"), 1 + len(PREFIX.split())
    torch.manual_seed(schedule.seed)
    pupil = _Pupil()
    run = Run(pupil, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        del step
        chosen = torch.randint(len(pictures), (BATCH,), generator=generator)
        shown = to_clip_range(blemish(pictures[chosen].float() / 127.5 - 1, generator))
        said = ids[chosen]
        with torch.autocast("cpu", torch.bfloat16):
            seen = pupil.model.vision_model(pixel_values=shown).last_hidden_state
            logits = pupil.model.text_decoder(
                input_ids=said, attention_mask=(said != pad).long(), encoder_hidden_states=seen
            ).logits
            # The class token has a loss too: it learns shapes long before the words depend on them.
            answers = {name: head(seen[:, 0]) for name, head in pupil.heads.items()}
        labels = said.masked_fill(said == pad, -100)
        labels[:, :prefix] = -100
        words = functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten())
        rows = [readings[index] for index in chosen.tolist()]
        asked = [
            functional.cross_entropy(
                answers[name].float(), torch.tensor([QUESTIONS[name].index(getattr(row, name)) for row in rows])
            )
            for name in QUESTIONS
        ]
        aside = torch.stack(asked).mean()
        return {"loss": 4 * words + aside, "words": words, "answers": aside}

    run.train(loss, name="captioner")
    run.load_average()
    torch.save(pupil.model.state_dict(), folder / "captioner.pt")


def load_captioner(folder: Path) -> Any:
    """The trained caption model."""
    model: Any = BlipForConditionalGeneration(build_config())
    model.load_state_dict(torch.load(folder / "captioner.pt", weights_only=True))
    return model.eval()
