"""Recognizes what a picture shows; trained on renders only, independently of all other models."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from demo_models.autoencoder import render_training_pictures
from demo_models.scenes import ARRANGEMENTS, COLOURS, PLACES, SHAPES, SIZES, Scene, draw_scenes
from demo_models.training import Run, Schedule

JUDGE = Path(__file__).parent / "weights" / "judge.safetensors"
"""The trained judge in the repository."""
PICTURES = 20_000
SEED = 2
SCHEDULE = Schedule(steps=1_500, rate=2e-3, muon_rate=0.02, warm_up=50, decay=0.6, average=0.99, seed=SEED)
BATCH = 96

QUESTIONS: dict[str, tuple[str, ...]] = {
    "background": tuple(COLOURS),
    "first_shape": SHAPES,
    "first_colour": tuple(COLOURS),
    "second_shape": ("none", *SHAPES),
    "second_colour": ("none", *COLOURS),
    "size": ("none", *SIZES),
    "place": ("none", *PLACES),
    "arrangement": ("none", *ARRANGEMENTS),
}
"""The questions about each picture, and their possible answers. The first thing is the left or upper one."""


@dataclass(frozen=True)
class Reading:
    """The answers for one picture by the names of QUESTIONS."""

    background: str
    first_shape: str
    first_colour: str
    second_shape: str
    second_colour: str
    size: str
    place: str
    arrangement: str


def read_scene(scene: Scene) -> Reading:
    """The correct answers for a scene's render."""
    first, second = scene.things[0], scene.things[1] if len(scene.things) > 1 else None
    return Reading(
        scene.background,
        first.shape,
        first.colour,
        second.shape if second else "none",
        second.colour if second else "none",
        scene.size or "none",
        scene.place or "none",
        scene.arrangement or "none",
    )


class Judge(nn.Module):
    """A small convolutional network with one head per question."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 96)
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            blocks += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
            if after > 24:
                blocks += [nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(96 * 16, 256), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(answers)) for name, answers in QUESTIONS.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits by question, for float pictures in −1…1."""
        features = self.body(pictures)
        return {name: head(features) for name, head in self.heads.items()}

    @torch.no_grad()
    def read(self, pictures: Tensor) -> list[Reading]:
        """Answers for uint8 pictures of shape (count, 3, 64, 64)."""
        found: list[Reading] = []
        for batch in torch.split(pictures, 256):
            logits = self(batch.float() / 127.5 - 1)
            choices = {name: values.argmax(1).tolist() for name, values in logits.items()}
            found += [
                Reading(**{name: QUESTIONS[name][choices[name][row]] for name in QUESTIONS})
                for row in range(len(batch))
            ]
        return found


def blemish(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Shift by up to two pixels, blur some and add noise, so that the judge also works on generated pictures."""
    rows, columns = torch.randint(-2, 3, (2,), generator=generator).tolist()
    padded = functional.pad(pictures, (2, 2, 2, 2), mode="replicate")
    side = pictures.shape[-1]
    shifted = padded[:, :, 2 + rows : 2 + rows + side, 2 + columns : 2 + columns + side]
    third = len(pictures) // 3
    blurred = functional.avg_pool2d(functional.pad(shifted[:third], (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    shifted = torch.cat([blurred, shifted[third:]])
    loud = torch.rand(len(pictures), 1, 1, 1, generator=generator) * 0.15
    return shifted + loud * torch.randn(pictures.shape, generator=generator)


def train_judge(folder: Path) -> None:
    """Train, or resume training, in `folder`; finally writes `judge.pt` there."""
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=SEED)
    scenes = list(itertools.islice(draw_scenes(seed=SEED, split="train"), PICTURES))
    readings = [read_scene(scene) for scene in scenes]
    answers = {
        name: torch.tensor([allowed.index(getattr(reading, name)) for reading in readings])
        for name, allowed in QUESTIONS.items()
    }
    torch.manual_seed(SEED)
    judge = Judge()
    run = Run(judge, schedule=SCHEDULE, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        del step
        chosen = torch.randint(len(pictures), (BATCH,), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = judge(blemish(pictures[chosen].float() / 127.5 - 1, generator))
        terms = [functional.cross_entropy(logits[name].float(), answers[name][chosen]) for name in QUESTIONS]
        return {"loss": torch.stack(terms).sum()}

    run.train(loss, name="judge")
    run.load_average()
    torch.save(judge.state_dict(), folder / "judge.pt")


def load_judge(file: Path) -> Judge:
    """Load the judge from a half-precision file; it computes in float32."""
    judge = Judge()
    judge.load_state_dict(load_file(file))
    return judge.eval()


def share_exact(found: Sequence[Reading], right: Sequence[Reading]) -> float:
    """Share of pictures whose answers are all right."""
    return sum(one == other for one, other in zip(found, right, strict=True)) / len(right)
