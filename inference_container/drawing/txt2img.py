"""Draws pictures from noise and prompts: the main line of txt2img."""

from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.upscalers import LATENT_UPSCALERS
from inference_container.drawing.batches import draw
from inference_container.drawing.controlnet import beside_last, prepare_controls
from inference_container.drawing.drawings import NO_EXTRAS, Drawing, DrawingExtras
from inference_container.drawing.face_restoration import drawing_face_restorer
from inference_container.drawing.fitted_checkpoints import FittedCheckpoints
from inference_container.drawing.hires import hires_extra, plan_hires, with_first_size
from inference_container.drawing.hypertile import hypertile_extra
from inference_container.drawing.image_conditioning import condition_on_nothing
from inference_container.drawing.plan import DrawingPlan
from inference_container.drawing.prompts import read_prompts
from inference_container.drawing.results import record_of
from inference_container.drawing.second_checkpoints import chosen_hires_checkpoint, chosen_refiner, short_title
from inference_container.drawing.seeds import choose_seeds
from inference_container.drawing.styles import job_styles
from inference_container.drawing.upscalers import request_upscaler
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.decoding import decode_picture
from inference_container.pictures.flattening import flatten
from inference_container.pictures.upscaling import Upscaler
from inference_container.progress import JobProgress
from inference_container.task import TaskInput


def draw_txt2img(
    job: TaskInput,
    asked: Txt2ImgParams,
    given: Checkpoint,
    *,
    progress: JobProgress,
    extras: DrawingExtras = NO_EXTRAS,
) -> Drawing:
    """Draw `n_iter` batches of `batch_size` pictures of 8·(width//8) × 8·(height//8) pixels, or of hires fix's size.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    # 0. Fit the checkpoint to the params until the drawing is done.
    with FittedCheckpoints(asked, files=job.files, models=job.models) as checkpoints:
        checkpoint = checkpoints.fit(given)
        if checkpoint.edits:
            message = "txt2img: received an InstructPix2Pix checkpoint, which edits pictures; allowed: img2img"
            raise JobFailed(JobErrorCode.INVALID_PARAMS, message)

        # 1. Prompts, sizes and seeds.
        params = with_first_size(asked)
        styles = job_styles(params, job.files)
        prompts = read_prompts(params, styles)
        hires = plan_hires(
            params,
            styles=styles,
            first_picture=_first_picture(params),
            pixel_upscaler=_pixel_upscaler(job, params, progress=progress),
        )
        seeds = choose_seeds(params)
        hires_checkpoint = chosen_hires_checkpoint(checkpoints, params, checkpoint, progress=progress)
        refiner = chosen_refiner(checkpoints, params, hires_checkpoint, progress=progress)

        # 2. For an inpainting checkpoint, everything is masked.
        conditioning = None
        if checkpoint.inpainting:
            with progress.phase(JobPhase.ENCODING):
                conditioning = condition_on_nothing(checkpoint, width=params.width, height=params.height)

        # 3. ControlNets and their maps.
        controls = prepare_controls(
            job,
            params,
            checkpoint,
            seeds=seeds,
            progress=progress,
            hires_size=None if hires is None else hires.drawn_size,
        )

        if controls.hires and hires_checkpoint.family is not checkpoint.family:
            message = (
                f"hr_checkpoint_name: received {hires_checkpoint.family.value} with ControlNets for "
                f"{checkpoint.family.value}; allowed: a checkpoint of the same family"
            )
            raise JobFailed(JobErrorCode.ASSET_INCOMPATIBLE, message)

        # 4. Sample and decode every batch.
        plan = DrawingPlan(
            params=params,
            preview=job.preview,
            restore_faces=drawing_face_restorer(job, params, progress=progress),
            checkpoint=checkpoint,
            prompts=prompts,
            seeds=seeds,
            files=job.files,
            models=job.models,
            batch_size=params.batch_size,
            image_conditioning=conditioning,
            controls=controls,
            refiner=refiner,
            hires=hires,
            hires_checkpoint=hires_checkpoint,
        )
        drawn = draw(plan, progress)

        # 5. Record how they were drawn.
        second_title = None if params.hr_checkpoint_name is None else short_title(hires_checkpoint)
        record = record_of(
            params,
            checkpoint=checkpoint,
            prompts=prompts,
            seeds=seeds,
            batch_size=params.batch_size,
            denoising_strength=params.denoising_strength,
            extra={
                **extras.notes,
                **hypertile_extra(params),
                **controls.notes,
                **({} if hires is None else hires_extra(params, checkpoint=second_title)),
                **drawn.notes,
            },
            hires_prompts=None if hires is None else hires.prompts,
            shown_a_picture=hires is not None and hires.upscaler not in LATENT_UPSCALERS,
        )
        beside = beside_last([[]] * len(drawn.images), controls.maps)
        return Drawing(params, drawn.images, record, beside=beside, warnings=drawn.warnings)


def _pixel_upscaler(job: TaskInput, params: Txt2ImgParams, *, progress: JobProgress) -> Upscaler | None:
    if not params.enable_hr or params.hr_upscaler is None or params.hr_upscaler in LATENT_UPSCALERS:
        return None
    return request_upscaler(job, params, params.hr_upscaler, progress=progress)


def _first_picture(params: Txt2ImgParams) -> Image.Image | None:
    if not params.enable_hr or params.firstpass_image is None:
        return None
    return flatten(decode_picture(params.firstpass_image, field="firstpass_image"), background="#ffffff")
