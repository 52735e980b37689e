"""img2img alternative test: draws from the noise that the init picture would have been drawn from."""

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.img2img_alternative import alternative_params
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative
from inference_container.drawing.results import encode_drawing, info_of
from inference_container.scripts.drawing_board import DrawingBoard, Finished


def img2img_alternative(script: Img2ImgAlternative, board: DrawingBoard[Img2ImgParams]) -> Finished:
    """Draw the request once, with what the script overrides.

    Raises:
        JobFailed: the picture cannot be read or drawn.
    """
    # 1. What is drawn.
    try:
        params = alternative_params(script, board.params)
    except ValueError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, str(error)) from error

    # 2. Draw it.
    board.note(
        {
            "Decode prompt": script.original_prompt,
            "Decode negative prompt": script.original_negative_prompt,
            "Decode CFG scale": script.cfg,
            "Decode steps": script.st,
            "Randomness": script.randomness,
            "Sigma Adjustment": script.sigma_adjustment,
        }
    )
    drawing = board.draw(params, recovery=script)
    return Finished(encode_drawing(drawing), info_of(drawing.record))
