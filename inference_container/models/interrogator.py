"""The models of Interrogate CLIP: a caption model, a ranking model and word lists, all from one asset."""

from dataclasses import dataclass

import torch

from inference_container.interrogation.categories import Category, read_category, shipped_categories
from inference_container.models.captioner import Captioner, load_captioner
from inference_container.models.clip_ranker import ClipRanker, load_ranker
from inference_container.models.files import ModelFile
from inference_container.models.model_parts import ModelPart, ModelParts, open_model_parts
from inference_container.models.tensor_file import incompatible
from inference_container.models.transformer_part import memory_of

CAPTION_TYPE, RANKING_TYPE = "blip", "clip"
"""`model_type` in each folder's config.json; the folders may have any names."""


@dataclass(frozen=True)
class Interrogator:
    captioner: Captioner
    ranker: ClipRanker
    categories: tuple[Category, ...]
    bytes: int
    """Memory of both models and of the features of all lists once they are computed."""

    def move_to(self, device: torch.device) -> None:
        """Move to another device and run there."""
        self.captioner.move_to(device)
        self.ranker.move_to(device)


def load_interrogator(file: ModelFile, *, device: torch.device, dtype: torch.dtype) -> Interrogator:
    """Read a caption model and a ranking model, and the asset's own word lists if it has any.

    Raises:
        JobFailed: asset_corrupt if the file cannot be read or lacks tensors, asset_incompatible if it contains
            something else.
    """
    with open_model_parts(file) as parts:
        captioner = load_captioner(_part(file, parts, CAPTION_TYPE), device=device, dtype=dtype)
        ranker = load_ranker(_part(file, parts, RANKING_TYPE), device=device, dtype=dtype)
        own = tuple(read_category(name, text()) for name, text in parts.lists.items())
    categories = own or shipped_categories()
    features = 4 * ranker.model.config.projection_dim * sum(len(category.phrases) for category in categories)
    memory = memory_of(captioner.model) + memory_of(ranker.model) + features
    return Interrogator(captioner, ranker, categories, memory)


def _part(file: ModelFile, parts: ModelParts, kind: str) -> ModelPart:
    for part in parts.parts:
        if part.config.get("model_type") == kind:
            return part
    found = ", ".join(f"{part.folder or '.'} ({part.config.get('model_type')})" for part in parts.parts) or "none"
    raise incompatible(file, f'it has no folder whose config.json says "model_type": "{kind}"; its models: {found}')
