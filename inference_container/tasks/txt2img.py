"""txt2img: draws pictures from noise and prompts."""

import torch

from generate_on_cloud.contract.params import Txt2ImgParams
from inference_container.drawing.txt2img import draw_txt2img
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.drawn_output import drawn_output


@torch.inference_mode()
def txt2img(job: TaskInput) -> TaskOutput:
    """Draw from prompts, or run the selectable script that the request names.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    return drawn_output(job, Txt2ImgParams, draw_txt2img)
