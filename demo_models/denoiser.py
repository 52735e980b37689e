"""The family's UNet: ε-prediction on Stable Diffusion's own noise schedule, over 4×8×8 latents and 77×128 text."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from demo_models.autoencoder import load_autoencoder, to_model_range
from demo_models.captions import draw_training_text
from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes
from demo_models.text_encoder import WIDTH, load_text_encoder, tokenize
from demo_models.training import Run, Schedule

CONFIG: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [96, 128],
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
}
SCHEDULE = Schedule(steps=5_000, rate=1e-3, muon_rate=0.012, warm_up=100, decay=0.4, average=0.998, seed=4)
BATCH = 64
LATENTS = 40_000
SEED = 5
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(noisy latents, timesteps, text) → the UNet's prediction."""


def alphas_cumprod() -> Tensor:
    """ᾱ of Stable Diffusion 1.x, shape (1000,): betas from 0.00085 to 0.012, linear in √β (semantics §5.3)."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    return torch.from_numpy(np.cumprod(1 - betas).astype(np.float32))


def encode_training_scenes(file: Path, vae: AutoencoderKL, *, count: int = LATENTS) -> tuple[Tensor, Tensor]:
    """Scaled latent means and standard deviations of training scenes, each (count, 4, 8, 8); cached in `file`."""
    if not file.exists():
        renderer, scenes, parts = Renderer(), draw_scenes(seed=SEED, split="train"), []
        with torch.no_grad():
            for _ in range(count // 200):
                pictures = to_model_range(renderer.render(list(itertools.islice(scenes, 200))))
                posterior = vae.encode(pictures).latent_dist
                parts.append(torch.stack([posterior.mean, posterior.std], dim=1) * vae.config.scaling_factor)
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(torch.cat(parts), file)
    both: Tensor = torch.load(file, weights_only=True)
    return both[:, 0], both[:, 1]


def draw_timesteps(count: int, sigmas: Tensor, generator: torch.Generator) -> Tensor:
    """Three in ten uniformly, the others around σ = 1.5, where pictures of this size decide what they show."""
    log_sigma = 0.4 + 1.1 * torch.randn(count, generator=generator)
    chosen = torch.searchsorted(sigmas.log(), log_sigma).clamp(0, len(sigmas) - 1)
    anywhere = torch.randint(len(sigmas), (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.3, anywhere, chosen)


def noise_loss(
    predict: Predict, latents: Tensor, context: Tensor, generator: torch.Generator, *, velocity: bool = False
) -> Tensor:
    """Weighted squared error of the predicted noise; high noise has more weight, as it decides what is shown.

    Args:
        velocity: `predict` returns v = √ᾱ·ε − √(1−ᾱ)·x₀ instead (Salimans and Ho 2022); all noise has equal weight.
    """
    alphas = alphas_cumprod()
    sigmas = ((1 - alphas) / alphas).sqrt()
    timesteps = draw_timesteps(len(latents), sigmas, generator)
    alpha, sigma = alphas[timesteps][:, None, None, None], sigmas[timesteps]
    noise = torch.randn(latents.shape, generator=generator)
    noisy = latents * alpha.sqrt() + noise * (1 - alpha).sqrt()
    with torch.autocast("cpu", torch.bfloat16):
        predicted = predict(noisy, timesteps, context).float()
    wanted = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents if velocity else noise
    weight = torch.ones_like(sigma) if velocity else (1 + sigma**2).sqrt().clamp(max=5)
    weighted: Tensor = ((predicted - wanted).square().mean((1, 2, 3)) * weight).mean()
    return weighted


def train_denoiser(folder: Path, *, vae_folder: Path, text_folder: Path, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; finally writes `unet.pt` (averaged weights) there."""
    vae = load_autoencoder(vae_folder)
    means, deviations = encode_training_scenes(folder / "latents.pt", vae)
    scenes = list(itertools.islice(draw_scenes(seed=SEED, split="train"), len(means)))
    text_encoder, tokenizer = load_text_encoder(text_folder)
    torch.manual_seed(schedule.seed)
    unet = UNet2DConditionModel(**CONFIG)
    # PyTorch's fused attention has a slow backward pass on CPUs: plain products train 1.5 times as fast.
    unet.set_attn_processor(AttnProcessor())
    run = Run(unet, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"denoiser:{step}")
        chosen = torch.randint(len(means), (BATCH,), generator=generator)
        latents = means[chosen]
        latents = latents + deviations[chosen] * torch.randn(latents.shape, generator=generator)
        texts = [draw_training_text(scenes[row], lot).text for row in chosen.tolist()]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            context = text_encoder(tokenize(tokenizer, texts)).last_hidden_state.float()
        return {"loss": noise_loss(lambda *inputs: unet(*inputs).sample, latents, context, generator)}

    run.train(loss, name="denoiser")
    write_average(run, folder)


def write_average(run: Run, folder: Path) -> None:
    """Write the averaged weights as `unet.pt`."""
    torch.save(run.average, folder / "unet.pt")


def load_denoiser(folder: Path) -> UNet2DConditionModel:
    """The averaged UNet from the finished training, else from its last save."""
    unet = UNet2DConditionModel(**CONFIG)
    finished = folder / "unet.pt"
    state = (
        torch.load(finished, weights_only=True)
        if finished.exists()
        else torch.load(folder / "run.pt", weights_only=True)["average"]
    )
    unet.load_state_dict(state)
    return unet.eval()
