"""img2img and inpainting: draws pictures from a picture, a mask and prompts (semantics §2)."""

import torch

from generate_on_cloud.contract.params import Img2ImgParams
from inference_container.drawing.img2img import draw_img2img
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.drawn_output import drawn_output


@torch.inference_mode()
def img2img(job: TaskInput) -> TaskOutput:
    """Draw from one or several init pictures, or run the selectable script that the request names.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    return drawn_output(job, Img2ImgParams, draw_img2img)
