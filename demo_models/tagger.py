"""The family's tagger: DeepDanbooru's network, narrow, that lists what a picture shows."""

import itertools
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from demo_models.autoencoder import render_training_pictures
from demo_models.judge import blemish
from demo_models.scenes import ALL_TAGS, draw_scenes, list_tags
from demo_models.training import Run, Schedule
from inference_container.models.deepdanbooru import DeepDanbooru, Kernel

INPUT_SIDE = 512
"""What WebUI shows a DeepDanbooru model, whatever the picture's own size."""
SHRINKING = 2
"""Blocks that only halve the picture: with the first convolution and the pooling they make 64 pixels of the 512."""
SEEN = 6
"""Channels the shrinking blocks hand on: each colour, and its complement, for the pooling keeps the larger one."""
STAGES = ((48, 24), (96, 40), (160, 64), (224, 80))
"""Width and inner width of the stages that learn; each halves the picture and has two blocks."""
TAGS = tuple(tag.replace(" ", "_") for tag in ALL_TAGS)
SCHEDULE = Schedule(steps=1_500, rate=2e-3, muon_rate=0.02, warm_up=100, decay=0.5, average=0.99, seed=7)
PICTURES = 20_000
BATCH = 64


def list_kernels() -> dict[int, Kernel]:
    """The network's convolutions by number."""
    kernels: list[Kernel] = [(SEEN, 3, 7)]
    width = SEEN
    for out, narrow in ((SEEN + 2, 2), (SEEN + 4, 2)):
        kernels += [(out, width, 1), (narrow, width, 1), (narrow, narrow, 3), (out, narrow, 1)]
        width = out
    for out, narrow in STAGES:
        kernels += [(out, width, 1), (narrow, width, 1), (narrow, narrow, 3), (out, narrow, 1)]
        kernels += [(narrow, out, 1), (narrow, narrow, 3), (out, narrow, 1)]
        width = out
    return dict(enumerate([*kernels, (len(TAGS), width, 1)]))


@torch.no_grad()
def build_tagger() -> DeepDanbooru:
    """The untrained network: what shrinks is set by hand, what learns begins as if it were not there."""
    network = DeepDanbooru(list_kernels())
    for name, parameter in network.named_parameters():
        if name.endswith("expand.weight"):
            nn.init.zeros_(parameter)
    for parameter in [*network.stem.parameters(), *network.blocks[:SHRINKING].parameters()]:
        parameter.requires_grad_(False).zero_()
    given = dict(network.named_parameters())
    for colour in range(3):
        for channel, sign in ((colour, 1.0), (colour + 3, -1.0)):
            given["stem.weight"][channel, colour, 2:4, 2:4] = sign / 4
            given["stem.bias"][channel] = 0.0 if sign > 0 else 1.0
    for number in range(SHRINKING):
        for channel in range(SEEN):
            given[f"blocks.{number}.shortcut.weight"][channel, channel] = 1
    return network


@torch.no_grad()
def shrink(network: DeepDanbooru, pictures: Tensor) -> Tensor:
    """What the blocks that learn are shown of uint8 pictures (count, 3, 64, 64): uint8 (count, SEEN, 64, 64)."""
    shown = []
    for picture in pictures:
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        enlarged = image.resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.LANCZOS)
        pixels = torch.frombuffer(bytearray(enlarged.tobytes()), dtype=torch.uint8).view(1, INPUT_SIDE, INPUT_SIDE, 3)
        x = network.pass_blocks(network.shrink(pixels.float() / 255), range(SHRINKING))
        shown.append(x[0, :SEEN].mul(255).round().clamp(0, 255).to(torch.uint8))
    return torch.stack(shown)


def _shrink_training_pictures(folder: Path, network: DeepDanbooru) -> Tensor:
    file = folder / "shrunk.pt"
    if file.exists():
        kept: Tensor = torch.load(file, weights_only=True)
        return kept
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=SCHEDULE.seed)
    shown = torch.cat([shrink(network, part) for part in torch.split(pictures, 500)])
    torch.save(shown, file)
    return shown


class _Pupil(nn.Module):
    """Only what learns, so that the rest of the network is neither averaged nor decayed."""

    def __init__(self, network: DeepDanbooru) -> None:
        super().__init__()
        self.blocks = network.blocks[SHRINKING:]
        self.head = network.head


def train_tagger(folder: Path, *, schedule: Schedule = SCHEDULE) -> None:
    """Train, or go on training, in `folder`; writes `tagger.pt` there at the end, named as in a file."""
    torch.manual_seed(schedule.seed)
    network = build_tagger()
    folder.mkdir(parents=True, exist_ok=True)
    shown = _shrink_training_pictures(folder, network)
    answers = torch.zeros(PICTURES, len(ALL_TAGS))
    for row, scene in enumerate(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), PICTURES)):
        answers[row, [ALL_TAGS.index(tag) for tag in list_tags(scene)]] = 1
    pupil = _Pupil(network)
    run = Run(pupil, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        del step
        chosen = torch.randint(len(shown), (BATCH,), generator=generator)
        seen = blemish(shown[chosen].float() / 127.5 - 1, generator).add(1).div(2).clamp(0, 1.2)
        # The channels the shrinking blocks leave empty.
        seen = functional.pad(seen, (0, 0, 0, 0, 0, 4))
        with torch.autocast("cpu", torch.bfloat16):
            scores = network.score(network.pass_blocks(seen, range(SHRINKING, len(network.blocks))))
        wrong = ((scores > 0).float() != answers[chosen]).any(1).float().mean()
        return {
            "loss": functional.binary_cross_entropy_with_logits(scores.float(), answers[chosen]) * 10,
            "wrong": wrong,
        }

    run.train(loss, name="tagger")
    run.load_average()
    state = network.state_dict()
    torch.save({theirs: state[ours] for ours, theirs in network.file_names.items()}, folder / "tagger.pt")
