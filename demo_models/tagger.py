"""The family's tagger: a narrow DeepDanbooru network that lists what a picture shows."""

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
"""The side of DeepDanbooru's input in WebUI, whatever the picture's size."""
SHRINKING = 3
"""Blocks that only pass on or halve the picture; with the layers before them, they reduce 512 pixels to 32."""
SEEN = 6
"""Channels that the shrinking blocks pass on: each colour and its complement, because pooling keeps the maximum."""
SHRINKING_WIDTHS = ((8, 6), (10, 6), (12, 6))
STAGES = ((64, 32), (128, 48), (192, 64))
"""Width and inner width of the trained stages; each halves the picture and has two blocks."""
TAGS = tuple(tag.replace(" ", "_") for tag in ALL_TAGS)
SCHEDULE = Schedule(steps=900, rate=2e-3, muon_rate=0.02, warm_up=50, decay=0.6, average=0.99, seed=7)
PICTURES = 8_000
BATCH = 64


def list_kernels() -> dict[int, Kernel]:
    """The network's convolutions by number."""
    kernels: list[Kernel] = [(SEEN, 3, 7)]
    width = SEEN
    for out, narrow in SHRINKING_WIDTHS:
        kernels += [(out, width, 1), (narrow, width, 1), (narrow, narrow, 3), (out, narrow, 1)]
        width = out
    for out, narrow in STAGES:
        kernels += [(out, width, 1), (narrow, width, 1), (narrow, narrow, 3), (out, narrow, 1)]
        kernels += [(narrow, out, 1), (narrow, narrow, 3), (out, narrow, 1)]
        width = out
    return dict(enumerate([*kernels, (len(TAGS), width, 1)]))


@torch.no_grad()
def build_tagger() -> DeepDanbooru:
    """The untrained network: shrinking blocks have fixed weights, trained blocks start as the identity."""
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
    for channel in range(SEEN):
        given["blocks.0.shortcut.weight"][channel, channel] = 1
        for number in range(1, SHRINKING):
            given[f"blocks.{number}.reduce.weight"][channel, channel] = 1
            given[f"blocks.{number}.middle.weight"][channel, channel, :2, :2] = 0.25
            given[f"blocks.{number}.expand.weight"][channel, channel] = 1
    return network


def shrink(pictures: Tensor) -> Tensor:
    """The input of the trained blocks for uint8 pictures (count, 3, 64, 64): uint8 (count, SEEN, 32, 32).

    Equal to the network's first convolution, pooling and shrinking blocks, in a tenth of the time.
    """
    shown = []
    for picture in pictures:
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        enlarged = image.resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.LANCZOS)
        pixels = torch.frombuffer(bytearray(enlarged.tobytes()), dtype=torch.uint8).view(INPUT_SIDE, INPUT_SIDE, 3)
        x = functional.avg_pool2d(pixels.permute(2, 0, 1).float(), 2)
        x = functional.pad(torch.cat([x, 255 - x]), (0, 1, 0, 1), value=float("-inf"))
        x = functional.avg_pool2d(functional.max_pool2d(x, 3, stride=2), 4)
        shown.append(x.round().clamp(0, 255).to(torch.uint8))
    return torch.stack(shown)


def _shrink_training_pictures(folder: Path) -> Tensor:
    file = folder / "shrunk.pt"
    if file.exists():
        kept: Tensor = torch.load(file, weights_only=True)
        return kept
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=SCHEDULE.seed)[:PICTURES]
    shown = torch.cat([shrink(part) for part in torch.split(pictures, 500)])
    torch.save(shown, file)
    return shown


class _Pupil(nn.Module):
    """Only the trained parts, so that the rest of the network is neither averaged nor decayed."""

    def __init__(self, network: DeepDanbooru) -> None:
        super().__init__()
        self.blocks = network.blocks[SHRINKING:]
        self.head = network.head


def train_tagger(folder: Path, *, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; finally writes `tagger.pt` there, with a model file's tensor names."""
    torch.manual_seed(schedule.seed)
    network = build_tagger()
    folder.mkdir(parents=True, exist_ok=True)
    shown = _shrink_training_pictures(folder)
    answers = torch.zeros(PICTURES, len(ALL_TAGS))
    for row, scene in enumerate(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), PICTURES)):
        answers[row, [ALL_TAGS.index(tag) for tag in list_tags(scene)]] = 1
    pupil = _Pupil(network)
    pupil.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # half as fast again on CPUs
    run = Run(pupil, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        del step
        chosen = torch.randint(len(shown), (BATCH,), generator=generator)
        seen = blemish(shown[chosen].float() / 127.5 - 1, generator).add(1).div(2).clamp(0, 1.2)
        # The channels that the shrinking blocks leave empty.
        seen = functional.pad(seen, (0, 0, 0, 0, 0, SHRINKING_WIDTHS[-1][0] - SEEN)).contiguous(
            memory_format=torch.channels_last
        )
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
