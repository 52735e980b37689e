"""The table of selectable scripts: each makes one or several ordinary drawings and composes its pictures from them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from generate_on_cloud.contract.selectable_scripts import (
    Img2ImgAlternative,
    Loopback,
    OutpaintingMk2,
    PoorMansOutpainting,
    PromptMatrix,
    PromptsFromFile,
    SdUpscale,
    SelectedScript,
    XyzPlot,
)
from inference_container.scripts.drawing_board import DrawingBoard, Finished
from inference_container.scripts.img2img_alternative import img2img_alternative
from inference_container.scripts.loopback import loopback
from inference_container.scripts.outpainting_mk2 import outpainting_mk2
from inference_container.scripts.poor_mans_outpainting import poor_mans_outpainting
from inference_container.scripts.prompt_matrix import prompt_matrix
from inference_container.scripts.prompts_from_file import prompts_from_file
from inference_container.scripts.sd_upscale import sd_upscale
from inference_container.scripts.xyz_plot import xyz_plot

SCRIPTS: Mapping[type[Any], Callable[[Any, DrawingBoard[Any]], Finished]] = MappingProxyType(
    {
        Img2ImgAlternative: img2img_alternative,
        Loopback: loopback,
        OutpaintingMk2: outpainting_mk2,
        PoorMansOutpainting: poor_mans_outpainting,
        PromptMatrix: prompt_matrix,
        PromptsFromFile: prompts_from_file,
        SdUpscale: sd_upscale,
        XyzPlot: xyz_plot,
    }
)
"""Runners by the dataclass of a script's arguments."""


def run_script(script: SelectedScript, board: DrawingBoard[Any]) -> Finished:
    """Run a script on the request of `board`.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    return SCRIPTS[type(script)](script, board)
