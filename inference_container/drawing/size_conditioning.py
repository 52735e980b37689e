"""The sizes and the aesthetic score that condition Stable Diffusion XL along with the prompt (semantics §4.4)."""

import torch
from torch import Tensor

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint

SIZED = frozenset({Family.SDXL, Family.SDXL_INPAINT, Family.SDXL_REFINER})


def size_conditions(
    params: ImageParams, checkpoint: Checkpoint, *, width: int, height: int
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """`time_ids` of prompts and negative prompts for a picture of this size in pixels; None for other families.

    For the base: original height and width, crop top and left, target height and width. For the refiner, an aesthetic
    score replaces the target size: the high one for prompts, the low one for negative prompts.
    """
    if checkpoint.family not in SIZED:
        return None, None
    options = params.options
    crop = (float(options.sdxl_crop_top), float(options.sdxl_crop_left))
    if checkpoint.family is not Family.SDXL_REFINER:
        ids = torch.tensor([height, width, *crop, height, width], dtype=torch.float32)
        return ids, ids
    high, low = options.sdxl_refiner_high_aesthetic_score, options.sdxl_refiner_low_aesthetic_score
    return torch.tensor([height, width, *crop, high]), torch.tensor([height, width, *crop, low])
