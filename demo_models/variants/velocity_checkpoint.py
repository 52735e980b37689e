"""A checkpoint that predicts velocity, fine-tuned from the base."""

import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo_models.captions import draw_training_text
from demo_models.denoiser import noise_loss
from demo_models.export import write_checkpoint
from demo_models.scenes import draw_scenes
from demo_models.training import Run, Schedule
from demo_models.variants.base import copy_unet, load_base, prepare_material

SCHEDULE = Schedule(
    steps=450, rate=1e-3, muon_rate=0.01, warm_up=20, decay=0.7, average=0.98, show_every=10, save_every=50, seed=27
)
BATCH, COUNT = 32, 3_000


def train_velocity(out: Path, folder: Path, file: Path) -> None:
    """Train on the same scenes and noise schedule, but to predict v (Salimans and Ho 2022)."""
    base = load_base(out)
    material = prepare_material(
        base,
        draw_scenes(seed=37, split="train"),
        count=COUNT,
        phrase=lambda scene, lot: draw_training_text(scene, lot).text,
    )
    torch.manual_seed(SCHEDULE.seed)
    unet: Any = copy_unet(base)
    run = Run(unet, schedule=SCHEDULE, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        latents, texts, _ = material.draw(BATCH, random.Random(f"velocity:{step}"), generator)
        context = base.encode_texts(texts)
        predict = lambda *inputs: unet(*inputs).sample  # noqa: E731
        return {"loss": noise_loss(predict, latents, context, generator, velocity=True)}

    run.train(loss, name=folder.name)
    run.load_average()
    write_checkpoint(file, unet, base.vae, base.text_encoder, velocity=True, unet_type=torch.float8_e4m3fn)
