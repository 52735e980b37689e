"""The family's CLIP: pictures and phrases side by side, so that phrases can be ranked by how well they fit."""

import itertools
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
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
"""By how much WebUI multiplies similarities, so by how much they are while learning."""
SCHEDULE = Schedule(steps=400, rate=1e-3, muon_rate=0.01, warm_up=30, decay=0.7, average=0.99, seed=8)
PICTURES = 8_000
BATCH = 64


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
"""The word lists the family's interrogator looks at; a phrase differs from its neighbours in one attribute."""
_PLACES = {"center": 0, "left": 1, "right": 2, "top": 3, "bottom": 4}


def list_fitting(scene: Scene) -> dict[str, tuple[int, ...]]:
    """Which phrases of each list are true of the scene."""
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


def _start(folder_of_text: Path, folder_of_captions: Path) -> tuple[Any, CLIPTokenizer]:
    """A model that begins with what the text encoder and the caption model have learnt."""
    text, tokenizer = load_text_encoder(folder_of_text)
    model: Any = CLIPModel(build_config(tokenizer))
    model.text_model.load_state_dict(
        {name.removeprefix("text_model."): value for name, value in text.state_dict().items()}
    )
    seeing = load_captioner(folder_of_captions).vision_model.state_dict()
    state = model.vision_model.state_dict()
    state["embeddings.class_embedding"] = seeing["embeddings.class_embedding"].flatten()
    state["embeddings.patch_embedding.weight"] = seeing["embeddings.patch_embedding.weight"]
    state["embeddings.position_embedding.weight"] = seeing["embeddings.position_embedding"][0]
    # BLIP's patches have a bias, CLIP's do not: the places carry it.
    state["embeddings.position_embedding.weight"][1:] += seeing["embeddings.patch_embedding.bias"]
    for layer in range(LAYERS):
        here = f"encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            rows = seeing[f"{here}.self_attn.qkv.{kind}"].chunk(3)
            state |= {f"{here}.self_attn.{one}_proj.{kind}": row for one, row in zip("qkv", rows, strict=True)}
            state[f"{here}.self_attn.out_proj.{kind}"] = seeing[f"{here}.self_attn.projection.{kind}"]
            for part in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"):
                state[f"{here}.{part}.{kind}"] = seeing[f"{here}.{part}.{kind}"]
    state |= {f"post_layernorm.{kind}": seeing[f"post_layernorm.{kind}"] for kind in ("weight", "bias")}
    model.vision_model.load_state_dict(state)
    return model, tokenizer


def _tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    ids: Tensor = tokenizer(texts, padding="longest", truncation=True, return_tensors="pt").input_ids
    return ids


def train_clip(folder: Path, *, text_folder: Path, captioner_folder: Path, schedule: Schedule = SCHEDULE) -> None:
    """Train, or go on training, in `folder`; writes `clip.pt` there at the end."""
    torch.manual_seed(schedule.seed)
    model, tokenizer = _start(text_folder, captioner_folder)
    model.logit_scale.requires_grad_(False).fill_(torch.tensor(SHARPNESS).log())
    pictures = render_training_pictures(folder / "pictures.pt", count=PICTURES, seed=schedule.seed)
    scenes = list(itertools.islice(draw_scenes(seed=schedule.seed, split="train"), PICTURES))
    fitting = [list_fitting(scene) for scene in scenes]
    phrases = _tokenize(tokenizer, [phrase for name in LISTS for phrase in LISTS[name]])
    sizes = [len(LISTS[name]) for name in LISTS]
    run = Run(model, schedule=schedule, folder=folder)

    def loss(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        lot = random.Random(f"clip:{step}")
        chosen = torch.randint(len(pictures), (BATCH,), generator=generator)
        rows = chosen.tolist()
        captions = [
            describe(scenes[row]) if lot.random() < 0.5 else draw_caption(scenes[row], lot).text for row in rows
        ]
        shown = to_clip_range(blemish(pictures[chosen].float() / 127.5 - 1, generator))
        with torch.autocast("cpu", torch.bfloat16):
            seen = model.get_image_features(pixel_values=shown).pooler_output
            listed = model.get_text_features(input_ids=phrases).pooler_output
            said = model.get_text_features(input_ids=_tokenize(tokenizer, captions)).pooler_output
        seen, listed, said = (functional.normalize(each.float(), dim=-1) for each in (seen, listed, said))
        terms = []
        for name, scores in zip(LISTS, torch.split(SHARPNESS * seen @ listed.T, sizes, dim=1), strict=True):
            wanted = torch.zeros(BATCH, scores.shape[1])
            for place, row in enumerate(rows):
                wanted[place, list(fitting[row][name])] = 1 / len(fitting[row][name])
            terms.append(functional.cross_entropy(scores, wanted))
        pairs = SHARPNESS * seen @ said.T
        itself = torch.arange(BATCH)
        matching = (functional.cross_entropy(pairs, itself) + functional.cross_entropy(pairs.T, itself)) / 2
        listing = torch.stack(terms).sum()
        return {"loss": listing + 0.5 * matching, "lists": listing, "captions": matching}

    run.train(loss, name="clip")
    run.load_average()
    torch.save(model.state_dict(), folder / "clip.pt")


def load_clip(folder: Path, *, text_folder: Path) -> tuple[Any, CLIPTokenizer]:
    """The trained model and its tokenizer."""
    _, tokenizer = load_text_encoder(text_folder)
    model: Any = CLIPModel(build_config(tokenizer))
    model.load_state_dict(torch.load(folder / "clip.pt", weights_only=True))
    return model.eval(), tokenizer
