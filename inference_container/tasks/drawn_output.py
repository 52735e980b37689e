"""The main line that txt2img and img2img share: one drawing, or a selectable script with several."""

from generate_on_cloud.contract.jobs import JobPhase
from inference_container.drawing.infotext_params import Params, complete_params
from inference_container.drawing.results import encode_drawing, info_of, parameters_of
from inference_container.progress import JobProgress
from inference_container.scripts import run_script
from inference_container.scripts.drawing_board import Draw, DrawingBoard
from inference_container.task import TaskInput, TaskOutput, image_task


def drawn_output(job: TaskInput, kind: type[Params], draw: Draw[Params]) -> TaskOutput:
    """The answer to a request whose params are of `kind` and which `draw` draws.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    # 1. Complete the params from their infotext.
    asked, checkpoint = image_task(job, kind)
    params = complete_params(asked)
    progress = JobProgress(report=job.report, clock=job.clock, skips=job.skips)

    # 2. Run the script, if the request names one.
    script = params.selected_script()
    if script is not None:
        board = DrawingBoard(job, params, checkpoint, draw=draw, progress=progress)
        finished = run_script(script, board)
        return TaskOutput(finished.images, finished.info, parameters_of(params), warnings=board.warnings)

    # 3. Or draw, and encode the pictures with their infotext.
    drawing = draw(job, params, checkpoint, progress=progress)
    with progress.phase(JobPhase.SAVING):
        encoded = encode_drawing(drawing)
    return TaskOutput(encoded, info_of(drawing.record), parameters_of(params), warnings=drawing.warnings)
