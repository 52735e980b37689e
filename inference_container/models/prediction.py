"""Whether a checkpoint's UNet was trained to predict noise or velocity (semantics §8.1)."""

from typing import Any

import torch

from generate_on_cloud.contract.assets import PredictionType
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.prediction_types import marked_prediction
from inference_container.models.model_config import SchedulerConfig
from inference_container.models.tensor_file import TensorFile

LAST_TIMESTEP = 999


def learned_prediction(tensors: TensorFile, scheduler: SchedulerConfig, *, family: Family, unet: Any) -> PredictionType:
    """From the packed configuration or the file's own marks, else from a trial run.

    What the checkpoint's owner says goes before this, see `FittedCheckpoints`.
    """
    marked = scheduler.prediction_type or marked_prediction(tensors.shapes, tensors.metadata)
    if marked is not None:
        return PredictionType(marked)
    velocity = family is Family.SD2 and _answers_with_velocity(unet)
    return PredictionType.V_PREDICTION if velocity else PredictionType.EPSILON


@torch.inference_mode()
def _answers_with_velocity(unet: Any) -> bool:
    """WebUI's trial: at the noisiest step, a noise predictor returns a constant 0.5 almost unchanged."""
    like = next(unet.parameters())
    latents = torch.full((1, unet.config.in_channels, 8, 8), 0.5, device=like.device, dtype=like.dtype)
    words = torch.full((1, 2, unet.config.cross_attention_dim), 0.5, device=like.device, dtype=like.dtype)
    answer = unet(latents, LAST_TIMESTEP, words, return_dict=False)[0]
    return float((answer - latents).float().mean()) < -1
