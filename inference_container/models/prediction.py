"""Whether a checkpoint's UNet was trained to predict noise or velocity (semantics §8.1)."""

from typing import Any

import torch

from generate_on_cloud.model_files.family_names import Family
from inference_container.models.model_config import SchedulerConfig
from inference_container.models.tensor_file import TensorFile

EPSILON, VELOCITY = "epsilon", "v_prediction"
VELOCITY_SIGN = "v_pred"
"""Name of an empty tensor that marks velocity prediction."""
MODEL_SPEC, MODEL_SPEC_VALUES = "modelspec.prediction_type", {"epsilon": EPSILON, "v": VELOCITY}
"""Header entry of Stability AI's model metadata standard; WebUI would need a .yaml file to know this."""
LAST_TIMESTEP = 999


def learned_prediction(tensors: TensorFile, scheduler: SchedulerConfig, *, family: Family, unet: Any) -> str:
    """`epsilon` or `v_prediction`: from the packed configuration or the file, else from a trial run."""
    if scheduler.prediction_type is not None:
        return scheduler.prediction_type
    if VELOCITY_SIGN in tensors.shapes:
        return VELOCITY
    specified = MODEL_SPEC_VALUES.get(tensors.metadata.get(MODEL_SPEC, ""))
    if specified is not None:
        return specified
    return VELOCITY if family is Family.SD2 and _answers_with_velocity(unet) else EPSILON


@torch.inference_mode()
def _answers_with_velocity(unet: Any) -> bool:
    """WebUI's trial: at the noisiest step, a noise predictor returns a constant 0.5 almost unchanged."""
    like = next(unet.parameters())
    latents = torch.full((1, unet.config.in_channels, 8, 8), 0.5, device=like.device, dtype=like.dtype)
    words = torch.full((1, 2, unet.config.cross_attention_dim), 0.5, device=like.device, dtype=like.dtype)
    answer = unet(latents, LAST_TIMESTEP, words, return_dict=False)[0]
    return float((answer - latents).float().mean()) < -1
