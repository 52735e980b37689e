"""diffusers' own pipelines around the modules of a loaded checkpoint."""

from typing import Any

from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

from inference_container.models.checkpoint import Checkpoint


def pipeline_of(checkpoint: Checkpoint) -> Any:
    """StableDiffusionPipeline or StableDiffusionXLPipeline with Euler, without a safety checker."""
    encoders = [text.encoder for text in checkpoint.text_models]
    parts: dict[str, Any] = {
        "vae": checkpoint.vae,
        "unet": checkpoint.unet,
        "text_encoder": encoders[0],
        "tokenizer": checkpoint.tokenizer,
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, steps_offset=1
        ),
    }
    if len(encoders) == 2:
        pipeline = StableDiffusionXLPipeline(
            **parts, text_encoder_2=encoders[1], tokenizer_2=checkpoint.tokenizer, add_watermarker=False
        )
    else:
        pipeline = StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
