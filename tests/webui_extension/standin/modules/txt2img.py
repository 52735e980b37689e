"""The names of the tab's values."""

from typing import Any

import gradio as gr


def txt2img_create_processing(
    id_task: str, request: gr.Request, prompt: str, negative_prompt: str, prompt_styles: Any, n_iter: int,
    batch_size: int, cfg_scale: float, height: int, width: int, enable_hr: bool, denoising_strength: float,
    hr_scale: float, hr_upscaler: str, hr_second_pass_steps: int, hr_resize_x: int, hr_resize_y: int,
    hr_checkpoint_name: str, hr_sampler_name: str, hr_scheduler: str, hr_prompt: str, hr_negative_prompt: str,
    override_settings_texts: Any, *args: Any, force_enable_hr: bool = False,
) -> None:  # fmt: skip
    raise RuntimeError("No checkpoints found")


def txt2img(id_task: str, request: gr.Request, *args: Any) -> None:
    raise RuntimeError("No checkpoints found")
