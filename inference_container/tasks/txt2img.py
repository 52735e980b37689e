"""txt2img: pictures from noise and words."""

import torch

from inference_container.contract.jobs import JobPhase
from inference_container.contract.params import Txt2ImgParams
from inference_container.tasks.drawing import Drawing, draw
from inference_container.tasks.finishing import encode_results, info_of, parameters_of, record_of
from inference_container.tasks.inpaint_conditioning import condition_on_nothing
from inference_container.tasks.progress import JobProgress
from inference_container.tasks.seeds import choose_seeds
from inference_container.tasks.task import TaskInput, TaskOutput, image_task
from inference_container.tasks.wording import read_wording


@torch.inference_mode()
def txt2img(job: TaskInput) -> TaskOutput:
    """Draw `n_iter` batches of `batch_size` pictures of 8·(width//8) by 8·(height//8) pixels.

    Raises:
        JobFailed: something asked for cannot be done; see its code and message.
    """
    params, checkpoint = image_task(job, Txt2ImgParams)
    progress = JobProgress(report=job.report)

    # 1. Words and seeds.
    wording = read_wording(params)
    seeds = choose_seeds(params)

    # 2. An inpainting checkpoint is shown that everything is masked.
    conditioning = None
    if checkpoint.inpainting:
        with progress.phase(JobPhase.ENCODING):
            conditioning = condition_on_nothing(checkpoint, width=params.width, height=params.height)

    # 3. Sample and decode every batch.
    drawing = Drawing(
        params=params,
        checkpoint=checkpoint,
        wording=wording,
        seeds=seeds,
        batch_size=params.batch_size,
        image_conditioning=conditioning,
    )
    images = list(draw(drawing, progress))

    # 4. Write down how they were made.
    record = record_of(
        params,
        checkpoint=checkpoint,
        wording=wording,
        seeds=seeds,
        batch_size=params.batch_size,
        denoising_strength=params.denoising_strength,
        extra={},
    )
    with progress.phase(JobPhase.SAVING):
        encoded = encode_results(images, record=record, params=params)
    return TaskOutput(
        images=encoded,
        info=info_of(record),
        parameters=parameters_of(params),
        timings=progress.timings,
    )
