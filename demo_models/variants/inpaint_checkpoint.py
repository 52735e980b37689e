"""A nine-channel checkpoint for inpainting, fine-tuned from the base."""

import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demo_models.autoencoder import to_model_range
from demo_models.captions import draw_training_text
from demo_models.denoiser import noise_loss
from demo_models.export import write_checkpoint
from demo_models.renderer import SIDE, Renderer
from demo_models.scenes import draw_scenes
from demo_models.training import Run, Schedule
from demo_models.variants.base import copy_unet, load_base, prepare_material

SCHEDULE = Schedule(
    steps=260, rate=5e-4, muon_rate=0.004, warm_up=20, decay=0.7, average=0.98, show_every=10, save_every=50, seed=26
)
BATCH, COUNT = 24, 3_000


def draw_masks(count: int, lot: random.Random) -> Tensor:
    """Boxes on the grid of latent cells (one in ten covers everything), 1 where to paint; shape (count, 1, 64, 64)."""
    masks = torch.zeros(count, 1, SIDE, SIDE)
    for mask in masks:
        width, height = (lot.randint(3, 7) * 8 for _ in range(2))
        left, top = lot.randrange(0, SIDE - width + 1, 8), lot.randrange(0, SIDE - height + 1, 8)
        if lot.random() < 0.1:
            mask[:] = 1
        mask[:, top : top + height, left : left + width] = 1
    return masks


def train_inpaint(out: Path, folder: Path, file: Path) -> None:
    """Train with latents, mask and the masked picture's latents as input; only the text describes the masked part."""
    base = load_base(out)
    material = prepare_material(
        base,
        draw_scenes(seed=36, split="train"),
        count=COUNT,
        phrase=lambda scene, lot: draw_training_text(scene, lot).text,
    )
    renderer = Renderer()
    torch.manual_seed(SCHEDULE.seed)
    unet: Any = copy_unet(base, in_channels=9)
    run = Run(unet, schedule=SCHEDULE, folder=folder)
    factor = base.vae.config.scaling_factor

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"inpaint:{step}")
        latents, texts, rows = material.draw(BATCH, lot, generator)
        masks = draw_masks(BATCH, lot)
        pictures = to_model_range(renderer.render([material.scenes[row] for row in rows]))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            kept = base.vae.encode(pictures * (1 - masks)).latent_dist.mean.float() * factor
        seen = torch.cat([torch.nn.functional.interpolate(masks, size=latents.shape[-2:]), kept], dim=1)
        context = base.encode_texts(texts)

        def predict(noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
            predicted: Tensor = unet(torch.cat([noisy, seen], dim=1), timesteps, context).sample
            return predicted

        return {"loss": noise_loss(predict, latents, context, generator)}

    run.train(loss, name=folder.name)
    run.load_average()
    write_checkpoint(file, unet, base.vae, base.text_encoder)
