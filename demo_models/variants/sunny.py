"""A textual inversion: three vectors for a yellow star, trained with everything else frozen."""

import itertools
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demo_models.captions import draw_caption
from demo_models.denoiser import noise_loss
from demo_models.scenes import Scene, draw_single, is_held_out
from demo_models.text_encoder import WIDTH, tokenize
from demo_models.training import Run, Schedule
from demo_models.variants.base import Base, load_base, prepare_material

NAME = "sunny"
MEANING = ("yellow", "star")
VECTORS = 3
START = "thing"
"""The word that all vectors start from."""
SCHEDULE = Schedule(steps=70, rate=3e-2, warm_up=5, decay=0.6, average=0.95, save_every=40, show_every=10, seed=24)
BATCH, COUNT = 16, 300


class _Vectors(nn.Module):
    def __init__(self, base: Base) -> None:
        super().__init__()
        embedding: Tensor = base.text_encoder.get_input_embeddings().weight
        (word,) = base.tokenizer(START, add_special_tokens=False).input_ids
        generator = torch.Generator().manual_seed(SCHEDULE.seed)
        spread = embedding.std() * torch.randn(VECTORS, WIDTH, generator=generator)
        self.vectors = nn.Parameter(embedding[word] + 0.3 * spread)


def _phrase(scene: Scene, lot: random.Random) -> str:
    """A caption with the start word, repeated for each vector, in place of colour and shape."""
    return draw_caption(scene, lot).text.replace(" ".join(MEANING), " ".join([START] * VECTORS))


def train_sunny(out: Path, folder: Path, file: Path) -> None:
    """Train the vectors in `folder`; writes `file` in the format of WebUI's training page."""
    base = load_base(out)
    lot = random.Random(SCHEDULE.seed)
    scenes = (scene for scene in iter(lambda: draw_single(lot), None) if not is_held_out(scene))
    meant = (scene for scene in scenes if (scene.things[0].colour, scene.things[0].shape) == MEANING)
    material = prepare_material(base, itertools.islice(meant, COUNT), count=COUNT, phrase=_phrase)
    module = _Vectors(base)
    run = Run(module, schedule=SCHEDULE, folder=folder)
    (word,) = base.tokenizer(START, add_special_tokens=False).input_ids
    encoder: Any = base.text_encoder
    unet: Any = base.unet

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        latents, texts, _ = material.draw(BATCH, random.Random(f"sunny:{step}"), generator)
        ids = tokenize(base.tokenizer, texts)

        def insert(_module: object, _inputs: object, output: Tensor) -> Tensor:
            places = ids == word
            vectors = module.vectors.repeat(int(places.sum()) // VECTORS, 1)
            return output.masked_scatter(places[:, :, None], vectors.to(output.dtype))

        handle = encoder.get_input_embeddings().register_forward_hook(insert)
        try:
            context = encoder(ids).last_hidden_state
        finally:
            handle.remove()
        return {"loss": noise_loss(lambda *inputs: unet(*inputs).sample, latents, context, generator)}

    run.train(loss, name=folder.name)
    run.load_average()
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": module.vectors.detach()},
            "name": NAME,
            "step": SCHEDULE.steps,
            "sd_checkpoint": None,
            "sd_checkpoint_name": "shapes",
        },
        file,
    )
