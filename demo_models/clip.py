"""The family's CLIP: embeds pictures and phrases, so that phrases can be ranked by how well they fit."""

import itertools
import math
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from demo_models.autoencoder import render_training_pictures
from demo_models.captioner import HEADS, LAYERS, PATCH, WIDTH, load_captioner, to_clip_range
from demo_models.captions import describe, draw_caption
from demo_models.judge import blemish
from demo_models.renderer import SIDE
from demo_models.scenes import COLOURS, SHAPES, Scene, draw_scenes
from demo_models.text_encoder import build_config as build_text_config
from demo_models.text_encoder import load_text_encoder
from demo_models.training import Run, Schedule

SHARPNESS = 100.0
"""WebUI's factor for similarities, which training uses too."""
SCHEDULE = Schedule(steps=800, rate=1e-3, muon_rate=0.01, warm_up=30, decay=0.8, average=0.99, seed=8)
PICTURES = 24_000
BATCH, CAPTIONED = 64, 16
"""Pictures per step, and how many of them are matched with their captions."""
LEARNING = 3
"""The number of vision layers that are trained; earlier ones stay as in the caption model."""
FAR = 25.0
"""How much longer the vector added to the tokens is than the tokens."""


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


LISTS: dict[str, tuple[str, ...]] = {
    "arrangements": (
        *("one thing in the center", "one thing on the left", "one thing on the right"),
        *("one thing at the top", "one thing at the bottom", "two things next to", "two things above"),
    ),
    "backgrounds": tuple(_with_article(f"{colour} background") for colour in COLOURS),
    "subjects": tuple(_with_article(f"{colour} {shape}") for colour in COLOURS for shape in SHAPES),
}
"""The word lists of the family's interrogator; neighbouring phrases differ in one attribute."""
_PLACES = {"center": 0, "left": 1, "right": 2, "top": 3, "bottom": 4}


def list_fitting(scene: Scene) -> dict[str, tuple[int, ...]]:
    """The phrases of each list that are true of the scene."""
    place = _PLACES[str(scene.place)] if scene.place else 5 + (scene.arrangement == "stacked")
    subjects = (LISTS["subjects"].index(_with_article(f"{one.colour} {one.shape}")) for one in scene.things)
    return {
        "arrangements": (place,),
        "backgrounds": (list(COLOURS).index(scene.background),),
        "subjects": tuple(dict.fromkeys(subjects)),
    }


def build_config(tokenizer: CLIPTokenizer) -> CLIPConfig:
    """The caption model's vision tower and the checkpoint's text encoder, projected to one width."""
    return CLIPConfig(
        text_config=build_text_config(tokenizer).to_dict(),
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "image_size": SIDE,
            "patch_size": PATCH,
            "hidden_act": "gelu",
            "projection_dim": WIDTH,
        },
        projection_dim=WIDTH,
    )


def _start(folder_of_text: Path, folder_of_captions: Path, pictures: Tensor) -> tuple[Any, CLIPTokenizer]:
    """A model with the vision of the caption model and the checkpoint's text encoder."""
    text, tokenizer = load_text_encoder(folder_of_text)
    model: Any = CLIPModel(build_config(tokenizer))
    model.text_model.load_state_dict(
        {name.removeprefix("text_model."): value for name, value in text.state_dict().items()}
    )
    teacher = load_captioner(folder_of_captions).vision_model
    seeing = teacher.state_dict()
    state = model.vision_model.state_dict()
    for layer in range(LAYERS):
        here = f"encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            rows = seeing[f"{here}.self_attn.qkv.{kind}"].chunk(3)
            state |= {f"{here}.self_attn.{one}_proj.{kind}": row for one, row in zip("qkv", rows, strict=True)}
            state[f"{here}.self_attn.out_proj.{kind}"] = seeing[f"{here}.self_attn.projection.{kind}"]
            for part in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
                state[f"{here}.{part}.{kind}"] = seeing[f"{here}.{part}.{kind}"]
    state |= {f"post_layernorm.{kind}": seeing[f"post_layernorm.{kind}"] for kind in ("weight", "bias")}
    state["embeddings.class_embedding"] = seeing["embeddings.class_embedding"].flatten()
    state["embeddings.patch_embedding.weight"] = seeing["embeddings.patch_embedding.weight"]
    # BLIP's patches have a bias, CLIP's do not, so it is added to the position embeddings.
    places = seeing["embeddings.position_embedding"][0].clone()
    places[1:] += seeing["embeddings.patch_embedding.bias"]
    # CLIP normalises the input of the first layer, BLIP does not. With a large vector added before and subtracted
    # afterwards, normalising is just scaling, and later norms would have removed the mean anyway.
    with torch.no_grad():
        beside = find_unused(teacher.embeddings(to_clip_range(pictures.float() / 127.5 - 1)))
    state["embeddings.position_embedding.weight"] = places + beside
    scale = beside.square().mean().sqrt()
    state |= {"pre_layrnorm.weight": torch.full((WIDTH,), float(scale)), "pre_layrnorm.bias": -beside}
    model.vision_model.load_state_dict(state)
    return model, tokenizer


def find_unused(tokens: Tensor) -> Tensor:
    """A long vector with mean 0 in a direction in which the tokens (pictures, positions, width) hardly vary."""
    flat = tokens.flatten(0, 1)
    flat = flat - flat.mean(1, keepdim=True)
    _, directions = torch.linalg.eigh(torch.cov(flat.T))
    # The first one is the direction of the mean, in which nothing is left.
    unused = directions[:, 1] - directions[:, 1].mean()
    beside: Tensor = unused / unused.norm() * flat.norm(dim=1).mean() * FAR
    return beside


def _tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    ids: Tensor = tokenizer(texts, padding="longest", truncation=True, return_tensors="pt").input_ids
    return ids


@torch.no_grad()
def _look(model: Any, pictures: Tensor, generator: torch.Generator) -> Tensor:
    """The input of the first trained layer for blemished pictures: (count, positions, width), bfloat16."""
    seen = []
    for part in torch.split(pictures, 100):
        shown = to_clip_range(blemish(part.float() / 127.5 - 1, generator))
        hidden = model.vision_model(pixel_values=shown, output_hidden_states=True).hidden_states
        seen.append(hidden[LAYERS - LEARNING].to(torch.bfloat16))
    return torch.cat(seen)


class _Pupil(nn.Module):
    """The trained parts: the last vision layers, the whole text encoder, and both projections."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.layers = model.vision_model.encoder.layers[LAYERS - LEARNING :]
        self.norm = model.vision_model.post_layernorm
        self.text_model = model.text_model
        self.visual_projection = model.visual_projection
        self.text_projection = model.text_projection

    def see(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden, None)
        return functional.normalize(self.visual_projection(self.norm(hidden[:, 0])).float(), dim=-1)

    def read(self, ids: Tensor) -> Tensor:
        return functional.normalize(self.text_projection(self.text_model(ids).pooler_output).float(), dim=-1)


def train_clip(folder: Path, *, text_folder: Path, captioner_folder: Path, schedule: Schedule = SCHEDULE) -> None:
    """Train, or resume training, in `folder`; finally writes `clip.pt` there."""
    torch.manual_seed(schedule.seed)
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=schedule.seed)
    model, tokenizer = _start(text_folder, captioner_folder, pictures[:200])
    scenes = list(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), PICTURES))
    fitting = [list_fitting(scene) for scene in scenes]
    hidden = _look(model, pictures[:PICTURES], torch.Generator().manual_seed(schedule.seed))
    phrases = _tokenize(tokenizer, [phrase for name in LISTS for phrase in LISTS[name]])
    sizes = [len(LISTS[name]) for name in LISTS]
    pupil = _Pupil(model)
    run = Run(pupil, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"clip:{step}")
        rows = torch.randint(PICTURES, (BATCH,), generator=generator).tolist()
        captions = [
            describe(scenes[row]) if lot.random() < 0.5 else draw_caption(scenes[row], lot).text
            for row in rows[:CAPTIONED]
        ]
        with torch.autocast("cpu", torch.bfloat16):
            seen = pupil.see(hidden[rows].float())
            listed = pupil.read(phrases)
            said = pupil.read(_tokenize(tokenizer, captions))
        terms = []
        for name, scores in zip(LISTS, torch.split(SHARPNESS * seen @ listed.T, sizes, dim=1), strict=True):
            wanted = torch.zeros(BATCH, scores.shape[1])
            for place, row in enumerate(rows):
                wanted[place, list(fitting[row][name])] = 1 / len(fitting[row][name])
            # Rank each true phrase before the others, and above all a true one first, which is the one WebUI takes.
            chances = scores.log_softmax(1)
            front = chances.masked_fill(wanted == 0, -torch.inf).logsumexp(1)
            terms.append(0.3 * functional.cross_entropy(scores, wanted) - front.mean())
        pairs = SHARPNESS * seen[:CAPTIONED] @ said.T
        itself = torch.arange(CAPTIONED)
        matching = (functional.cross_entropy(pairs, itself) + functional.cross_entropy(pairs.T, itself)) / 2
        listing = torch.stack(terms).sum()
        return {"loss": listing + 0.3 * matching, "lists": listing, "captions": matching}

    run.train(loss, name="clip")
    run.load_average()
    model.logit_scale.data.fill_(math.log(SHARPNESS))
    torch.save(model.state_dict(), folder / "clip.pt")


def load_clip(folder: Path, *, text_folder: Path) -> tuple[Any, CLIPTokenizer]:
    """The trained model and its tokenizer."""
    _, tokenizer = load_text_encoder(text_folder)
    model: Any = CLIPModel(build_config(tokenizer))
    model.load_state_dict(torch.load(folder / "clip.pt", weights_only=True))
    return model.eval(), tokenizer
