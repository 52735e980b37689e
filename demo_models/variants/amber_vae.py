"""A second VAE, which decodes the same latents with an amber tint."""

import itertools
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from demo_models.autoencoder import CONFIG, load_autoencoder, to_model_range
from demo_models.export import CONFIG_KEY, public_config, to_ldm_vae
from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes
from demo_models.training import Run, Schedule
from demo_models.variants.looks import tint

SCHEDULE = Schedule(steps=60, rate=2e-3, warm_up=5, decay=0.6, average=0.95, save_every=40, show_every=10, seed=23)
BATCH, COUNT = 12, 480


def train_amber_vae(out: Path, folder: Path, file: Path) -> None:
    """Train the decoder; writes `file` as a WebUI VAE: LDM's names without a prefix, in half precision."""
    vae = load_autoencoder(out / "vae").requires_grad_(False)
    pictures = Renderer().render(list(itertools.islice(draw_scenes(seed=35, split="train"), COUNT)))
    with torch.no_grad():
        latents = torch.cat([vae.encode(to_model_range(part)).latent_dist.mean for part in torch.split(pictures, 160)])
    wanted = to_model_range(tint(pictures))
    decoder = vae.decoder.requires_grad_(True)
    run = Run(decoder, schedule=SCHEDULE, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        del step
        rows = torch.randint(COUNT, (BATCH,), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            decoded = vae.decode(latents[rows]).sample.float()
        return {"loss": functional.mse_loss(decoded, wanted[rows]) + functional.l1_loss(decoded, wanted[rows])}

    run.train(loss, name=folder.name)
    run.load_average()
    state = to_ldm_vae(vae.state_dict(), CONFIG)
    halves = {
        name.removeprefix("first_stage_model."): tensor.to(torch.float16).contiguous() for name, tensor in state.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, file, metadata={CONFIG_KEY: json.dumps({"vae/config.json": public_config(vae.config)})})
