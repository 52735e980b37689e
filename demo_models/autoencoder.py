"""The family's AutoencoderKL: encodes 64×64 pictures to 4×8×8 latents and decodes them."""

import itertools
import math
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes
from demo_models.training import Run, Schedule

CONFIG: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [16, 32, 64, 96],
    "layers_per_block": 1,
    "act_fn": "silu",
    "latent_channels": 4,
    "norm_num_groups": 8,
    "sample_size": 64,
}
SCHEDULE = Schedule(steps=3_200, rate=2e-3, muon_rate=0.015, decay=0.45, average=0.998)
CROP = 32
CROP_SHARE = 0.76
"""Fraction of the steps that train on crops, which are four times as fast; the rest train on whole pictures."""
CROP_BATCH, BATCH = 32, 12
KL_WEIGHT = 1e-4


def render_training_pictures(file: Path, *, count: int = 20_000, seed: int = 1) -> Tensor:
    """Render training scenes as uint8, shape (count, 3, 64, 64); cached in `file`."""
    if file.exists():
        pictures: Tensor = torch.load(file, weights_only=True)
        return pictures
    renderer = Renderer()
    scenes = draw_scenes(seed=seed, split="train")
    pictures = torch.cat([renderer.render(list(itertools.islice(scenes, 500))) for _ in range(count // 500)])
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(pictures, file)
    return pictures


def to_model_range(pictures: Tensor) -> Tensor:
    """Convert uint8 to float32 in −1…1."""
    return pictures.float() / 127.5 - 1


def to_pictures(samples: Tensor) -> Tensor:
    """Convert decoded samples to uint8, with WebUI's rounding."""
    return ((samples.float() + 1) / 2).clamp(0, 1).mul(255).round().to(torch.uint8)


def train_autoencoder(folder: Path, *, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; finally writes `vae.pt` with averaged weights and the scaling factor."""
    pictures = render_training_pictures(folder / "pictures.pt")
    torch.manual_seed(schedule.seed)
    vae = AutoencoderKL(**CONFIG)
    run = Run(vae, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        crops = step < CROP_SHARE * schedule.steps
        chosen = torch.randint(len(pictures), (CROP_BATCH if crops else BATCH,), generator=generator)
        batch = pictures[chosen]
        if crops:
            top, left = torch.randint(batch.shape[-1] - CROP + 1, (2,), generator=generator).tolist()
            batch = batch[:, :, top : top + CROP, left : left + CROP]
        # A few pictures have colours outside the palette, so that sketches and styles survive the autoencoder too.
        some = len(batch) // 8
        batch = torch.cat([batch[:some, torch.randperm(3, generator=generator)], batch[some:]])
        target = to_model_range(batch)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(target).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator)
            decoded = vae.decode(posterior.mean + posterior.std * noise).sample.float()
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        squared = functional.mse_loss(decoded, target)
        total = squared + functional.l1_loss(decoded, target) + KL_WEIGHT * kl
        return {"loss": total, "psnr": -10 * squared.detach().div(4).log10(), "kl": kl.detach()}

    run.train(loss, name="autoencoder")
    run.load_average()
    vae.eval()
    deviation = torch.cat([encode(vae, batch) for batch in torch.split(pictures[:2000], 200)]).std().item()
    torch.save({"state": vae.state_dict(), "scaling_factor": 1 / deviation}, folder / "vae.pt")


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Unscaled latent means of uint8 pictures."""
    mean: Tensor = vae.encode(to_model_range(pictures)).latent_dist.mean
    return mean


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decode unscaled latents to uint8 pictures."""
    return to_pictures(vae.decode(latents).sample)


def load_autoencoder(folder: Path) -> AutoencoderKL:
    """The trained autoencoder, with its scaling factor in its configuration."""
    saved = torch.load(folder / "vae.pt", weights_only=True)
    vae = AutoencoderKL(**CONFIG, scaling_factor=saved["scaling_factor"])
    vae.load_state_dict(saved["state"])
    return vae.eval()


def measure_psnr(original: Tensor, reconstructed: Tensor) -> float:
    """Peak signal-to-noise ratio of uint8 pictures in dB, averaged over pictures."""
    error = (original.float() - reconstructed.float()).square().flatten(1).mean(1)
    return float((10 * (255**2 / error.clamp(min=1e-6)).log10()).mean()) if len(error) else math.nan
