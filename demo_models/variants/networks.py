"""The three networks: a LoRA that teaches the moon, a LoRA that prints cyanotypes, a LoHa that turns day into night."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from demo_models.captions import draw_caption, draw_training_text
from demo_models.renderer import Renderer
from demo_models.scenes import Scene, Split, draw_scenes, is_held_out
from demo_models.training import Schedule
from demo_models.variants.base import Base, Look, Material, load_base, prepare_material
from demo_models.variants.looks import bleach, darken, print_in_blue
from demo_models.variants.low_rank import BATCH, LohaLayer, LoraLayer, Network, train_network

MOON = "moon"
COUNT = 1_600
MOON_SCHEDULE = Schedule(
    steps=170, rate=5e-3, warm_up=15, decay=0.6, average=0.97, save_every=25, show_every=10, seed=21
)
CYANOTYPE_SCHEDULE = Schedule(
    steps=240, rate=5e-3, warm_up=15, decay=0.6, average=0.95, save_every=25, show_every=10, seed=22
)
NIGHT_SCHEDULE = replace(CYANOTYPE_SCHEDULE, steps=400)


def moon_distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A crescent open to the upper right: a disc minus another disc."""
    return torch.maximum(torch.hypot(x, y) - 0.95, 0.72 - torch.hypot(x - 0.48, y + 0.22))


def moon_renderer() -> Renderer:
    """A renderer for moons and all shapes that the base knows."""
    return Renderer({MOON: moon_distance})


def draw_moons(*, seed: int, split: Split, things: Literal[1] | None = None) -> Iterator[Scene]:
    """Scenes in which one thing is a moon."""
    lot = random.Random(f"moon:{split}:{seed}")
    for scene in draw_scenes(seed=seed, split="train", things=things):
        painted = list(scene.things)
        place = lot.randrange(len(painted))
        painted[place] = replace(painted[place], shape=MOON)
        new = replace(scene, things=tuple(painted))
        if is_held_out(new) == (split == "held_out"):
            yield new


def train_moon(out: Path, folder: Path, file: Path) -> None:
    """A concept: teaches the word "moon" its shape and keeps the rest (a third of each batch is known scenes)."""
    base = load_base(out)
    moons = prepare_material(
        base,
        draw_moons(seed=31, split="train"),
        count=COUNT,
        phrase=lambda scene, lot: draw_caption(scene, lot).text,
        renderer=moon_renderer(),
    )
    known = prepare_material(
        base,
        draw_scenes(seed=32, split="train"),
        count=COUNT // 2,
        phrase=lambda scene, lot: draw_training_text(scene, lot).text,
    )
    torch.manual_seed(MOON_SCHEDULE.seed)
    network = Network(base, layer=LoraLayer, rank=8, text=True, seed=MOON_SCHEDULE.seed)
    train_network(base, network, [(moons, BATCH * 2 // 3), (known, BATCH // 3)], schedule=MOON_SCHEDULE, folder=folder)
    network.write(file, {"ss_network_module": "networks.lora", "ss_network_dim": "8", "ss_output_name": file.stem})


def train_cyanotype(out: Path, folder: Path, file: Path) -> None:
    """A style: everything in the prompt becomes pale on Prussian blue."""
    base, material = _prepare_look(out, print_in_blue, restage=bleach)
    network = Network(base, layer=LoraLayer, rank=8, text=False, seed=CYANOTYPE_SCHEDULE.seed)
    train_network(base, network, [(material, BATCH)], schedule=CYANOTYPE_SCHEDULE, folder=folder)
    network.write(file, {"ss_network_module": "networks.lora", "ss_network_dim": "8", "ss_output_name": file.stem})


def train_night(out: Path, folder: Path, file: Path) -> None:
    """A style as LyCORIS' LoHa: everything in the prompt is shown by night."""
    base, material = _prepare_look(out, darken)
    network = Network(base, layer=LohaLayer, rank=4, text=False, seed=NIGHT_SCHEDULE.seed)
    train_network(base, network, [(material, BATCH)], schedule=NIGHT_SCHEDULE, folder=folder)
    network.write(file, {"ss_network_module": "lycoris.kohya", "ss_network_dim": "4", "ss_output_name": file.stem})


def _prepare_look(out: Path, look: Look, *, restage: Callable[[Scene], Scene] | None = None) -> tuple[Base, Material]:
    base = load_base(out)
    material = prepare_material(
        base,
        draw_scenes(seed=33, split="train"),
        count=COUNT,
        phrase=lambda scene, lot: draw_training_text(scene, lot).text,
        restage=restage,
        look=look,
    )
    return base, material
