"""The names of the tab's values: of AUTOMATIC1111 with gradio 3, of Forge with gradio 4."""

from typing import Any

import gradio as gr

if gr.__version__.startswith("3."):

    def img2img(
        id_task: str, request: gr.Request, mode: int, prompt: str, negative_prompt: str, prompt_styles: Any,
        init_img: Any, sketch: Any, init_img_with_mask: Any, inpaint_color_sketch: Any, inpaint_color_sketch_orig: Any,
        init_img_inpaint: Any, init_mask_inpaint: Any, mask_blur: int, mask_alpha: float, inpainting_fill: int,
        n_iter: int, batch_size: int, cfg_scale: float, image_cfg_scale: float, denoising_strength: float,
        selected_scale_tab: int, height: int, width: int, scale_by: float, resize_mode: int, inpaint_full_res: bool,
        inpaint_full_res_padding: int, inpainting_mask_invert: int, override_settings_texts: Any, *args: Any,
    ) -> None:  # fmt: skip
        raise RuntimeError("No checkpoints found")

else:

    def img2img(  # type: ignore[misc]
        id_task: str, request: gr.Request, mode: int, prompt: str, negative_prompt: str, prompt_styles: Any,
        init_img: Any, sketch: Any, sketch_fg: Any, init_img_with_mask: Any, init_img_with_mask_fg: Any,
        inpaint_color_sketch: Any, inpaint_color_sketch_fg: Any, init_img_inpaint: Any, init_mask_inpaint: Any,
        mask_blur: int, mask_alpha: float, inpainting_fill: int, n_iter: int, batch_size: int, cfg_scale: float,
        distilled_cfg_scale: float, image_cfg_scale: float, denoising_strength: float, selected_scale_tab: int,
        height: int, width: int, scale_by: float, resize_mode: int, inpaint_full_res: bool,
        inpaint_full_res_padding: int, inpainting_mask_invert: int, override_settings_texts: Any, *args: Any,
    ) -> None:  # fmt: skip
        raise RuntimeError("No checkpoints found")
