"""A small ControlNet that follows white lines on black."""

import random
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from torch import Tensor

from demo_models.captions import draw_training_text
from demo_models.denoiser import noise_loss
from demo_models.export import narrow_kernels
from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes
from demo_models.training import Run, Schedule
from demo_models.variants.base import load_base, prepare_material
from demo_models.variants.looks import find_edges

HINT_CHANNELS = (16, 32, 64, 96)
SCHEDULE = Schedule(
    steps=1_100, rate=1e-3, muon_rate=0.01, warm_up=20, decay=0.7, average=0.97, show_every=10, save_every=50, seed=28
)
BATCH, COUNT = 24, 4_000
VAGUE_SHARE = 0.7
"""Share of vague texts, with which the network must rely on the lines alone."""


def train_edges(out: Path, folder: Path, file: Path) -> None:
    """Train, or resume training, in `folder`; writes `file` in diffusers' layout, most of it in eight bits."""
    base = load_base(out)
    material = prepare_material(
        base,
        draw_scenes(seed=38, split="train"),
        count=COUNT,
        phrase=lambda scene, lot: "" if lot.random() < VAGUE_SHARE else draw_training_text(scene, lot).text,
    )
    renderer = Renderer()
    torch.manual_seed(SCHEDULE.seed)
    network: Any = ControlNetModel.from_unet(base.unet, conditioning_embedding_out_channels=HINT_CHANNELS)
    network.requires_grad_(True)
    network.set_attn_processor(AttnProcessor())
    run = Run(network, schedule=SCHEDULE, folder=folder)
    unet: Any = base.unet

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        latents, texts, rows = material.draw(BATCH, random.Random(f"edges:{step}"), generator)
        hints = find_edges(renderer.render([material.scenes[row] for row in rows])).float() / 255
        context = base.encode_texts(texts)

        def predict(noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
            down, middle = network(noisy, timesteps, context, controlnet_cond=hints, return_dict=False)
            predicted: Tensor = unet(
                noisy,
                timesteps,
                context,
                down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
            ).sample
            return predicted

        return {"loss": noise_loss(predict, latents, context, generator)}

    run.train(loss, name=folder.name)
    run.load_average()
    state = network.state_dict()
    # The layers that connect it to the UNet start at zero and stay too small for eight bits.
    joints = {name: tensor for name, tensor in state.items() if name.startswith("controlnet_")}
    copied = {name: tensor for name, tensor in state.items() if name not in joints}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(narrow_kernels(copied, torch.float8_e4m3fn) | narrow_kernels(joints, torch.float16), file)
