"""Draws pictures from a picture, a mask and prompts (semantics §2): the main line of img2img and inpainting."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.options import Options
from generate_on_cloud.contract.params import Img2ImgParams
from generate_on_cloud.webui.infotext.record import InfoValue, MaskRecord, img2img_extra
from inference_container.diffusion.noise import ImageNoise
from inference_container.diffusion.sampling import ImageStart
from inference_container.drawing.batches import draw
from inference_container.drawing.controlnet import beside_last, cut_of, prepare_controls
from inference_container.drawing.drawings import NO_EXTRAS, Drawing, DrawingExtras
from inference_container.drawing.face_restoration import drawing_face_restorer
from inference_container.drawing.fitted_checkpoints import FittedCheckpoints
from inference_container.drawing.hypertile import hypertile_extra
from inference_container.drawing.image_conditioning import condition_on_edited, condition_on_pictures
from inference_container.drawing.init_picture import ORIGINAL_CONTENT, InitPicture, prepare_init_pictures
from inference_container.drawing.latents import encode_images, encoder_extra, repaint_cells, resize_latents
from inference_container.drawing.plan import DrawingPlan
from inference_container.drawing.prompts import read_prompts
from inference_container.drawing.results import record_of
from inference_container.drawing.sampling_requests import latent_shape, random_source
from inference_container.drawing.second_checkpoints import chosen_refiner
from inference_container.drawing.seeds import Seeds, choose_seeds
from inference_container.drawing.soft_overlays import soften
from inference_container.drawing.styles import job_styles
from inference_container.drawing.upscalers import request_upscaler
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.color_correction import correct_colors
from inference_container.pictures.overlays import cut_out, paste_back, put_at
from inference_container.pictures.upscaling import Upscaler
from inference_container.progress import JobProgress
from inference_container.task import TaskInput

LATENT_NOISE, LATENT_NOTHING = 2, 3
"""Values of `inpainting_fill` that change the latents under the mask."""


def draw_img2img(
    job: TaskInput,
    asked: Img2ImgParams,
    given: Checkpoint,
    *,
    progress: JobProgress,
    extras: DrawingExtras = NO_EXTRAS,
) -> Drawing:
    """Draw `n_iter` batches from the init picture, or from several of them as one batch.

    Pictures have the request's width and height, or the init picture's size if only the masked area was drawn.

    Raises:
        JobFailed: the request cannot be fulfilled; see code and message.
    """
    # 0. Fit the checkpoint to the params until the drawing is done.
    with FittedCheckpoints(asked, files=job.files, models=job.models) as checkpoints:
        checkpoint = checkpoints.fit(given)
        soft = asked.soft_inpainting()
        params = asked if soft is None else asked.model_copy(update={"mask_round": False})
        options = params.options

        # 1. Prompts and seeds.
        prompts = read_prompts(params, job_styles(params, job.files))
        seeds = choose_seeds(params)
        refiner = chosen_refiner(checkpoints, params, checkpoint, progress=progress)

        # 2. Prepare picture and mask: flatten, blur, crop, resize, fill.
        upscaler = request_upscaler(job, params, options.upscaler_for_img2img, progress=progress)
        with progress.phase(JobPhase.ENCODING):
            pictures: Sequence[InitPicture] = prepare_init_pictures(
                params, upscaler=upscaler, latent_mask=extras.latent_mask
            )
            as_drawn = _as_drawn(params, pictures)
        batch_size = params.batch_size if len(pictures) == 1 else len(pictures)

        # 3. Encode the picture, and resize the mask to its latents.
        with progress.phase(JobPhase.ENCODING):
            start = _start(as_drawn, checkpoint, pictures, seeds=seeds, batch_size=batch_size)
            if extras.recovery is not None:
                start = replace(start, noise_multiplier=1.0)  # WebUI multiplies the seeds' noise only
            conditioning = _conditioning(as_drawn, checkpoint, pictures, like=start.latent)

        # 4. ControlNets and their maps.
        cut = cut_of(pictures[0].region, pictures[0].original)
        controls = prepare_controls(job, as_drawn, checkpoint, seeds=seeds, progress=progress, cut=cut)

        # 5. Sample and decode every batch.
        plan = DrawingPlan(
            params=as_drawn,
            preview=job.preview,
            restore_faces=drawing_face_restorer(job, params, progress=progress),
            keep_latents=soft is not None,
            checkpoint=checkpoint,
            prompts=prompts,
            seeds=seeds,
            files=job.files,
            models=job.models,
            batch_size=batch_size,
            start=start,
            recovery=extras.recovery,
            image_conditioning=conditioning,
            controls=controls,
            image_cfg_scale=params.image_cfg_scale if checkpoint.edits else None,
            refiner=refiner,
        )
        drawn = draw(plan, progress)
        images = drawn.images
        if options.img2img_color_correction:
            with progress.phase(JobPhase.DECODING):
                targets = [picture.image for picture in pictures]
                images = [correct_colors(one, like=targets[n % len(targets)]) for n, one in enumerate(images)]

        if soft is not None and start.repaint is not None:
            pictures = soften(pictures, drawn.latents, start=start, settings=soft, params=params)

        # 6. Composite the unmasked part over the result, and put a cropped region back in its place.
        with progress.phase(JobPhase.DECODING):
            under = [pictures[number % len(pictures)] for number in range(len(images))]
            masks = [_masks(options, image, one, upscaler) for image, one in zip(images, under, strict=True)]
            images = [_composed(options, image, one, upscaler) for image, one in zip(images, under, strict=True)]

        # 7. Record how they were drawn.
        record = record_of(
            params,
            checkpoint=checkpoint,
            prompts=prompts,
            seeds=seeds,
            drawn=len(images),
            batch_size=batch_size,
            denoising_strength=params.denoising_strength,
            image_cfg_scale=plan.image_cfg_scale,
            extra={
                **extras.notes,
                **hypertile_extra(params),
                **(soft.infotext() if soft is not None else {}),
                **controls.notes,
                **_extra(params, masked=pictures[0].mask is not None),
                **encoder_extra(checkpoint),
                **drawn.notes,
            },
        )
        return Drawing(params, images, record, beside=beside_last(masks, controls.maps), warnings=drawn.warnings)


def _as_drawn(params: Img2ImgParams, pictures: Sequence[InitPicture]) -> Img2ImgParams:
    """The params with the size that is drawn: a mask over the whole picture needs whole cells of latents below it."""
    whole = next((one for one in pictures if one.overlay is not None and one.region is None), None)
    if whole is None:
        return params
    return params.model_copy(update={"width": whole.image.width, "height": whole.image.height})


def _start(
    params: Img2ImgParams, checkpoint: Checkpoint, pictures: Sequence[InitPicture], *, seeds: Seeds, batch_size: int
) -> ImageStart:
    """The clean latents that sampling starts from, and the cells to repaint (semantics §2.5)."""
    encoded = [encode_images(checkpoint, [picture.image]) for picture in pictures]
    latents = torch.cat([resize_latents(one, width=params.width, height=params.height) for one in encoded])
    mask = pictures[0].repainted
    repaint = None if mask is None else repaint_cells(mask, like=latents, rounded=params.mask_round)
    if repaint is not None and params.inpainting_fill == LATENT_NOISE:
        noise = ImageNoise(
            seeds.seeds[:batch_size],
            latent_shape(params, checkpoint),
            source=random_source(params),
            device=checkpoint.device,
        )
        latents = latents * (1 - repaint) + noise.first() * repaint
    elif repaint is not None and params.inpainting_fill == LATENT_NOTHING:
        latents = latents * (1 - repaint)
    options = params.options
    return ImageStart(
        latent=latents,
        denoising_strength=params.denoising_strength,
        soft=params.soft_inpainting(),
        fix_steps=options.img2img_fix_steps,
        repaint=repaint,
        noise_multiplier=_noise_multiplier(params),
        extra_noise=options.img2img_extra_noise,
    )


def _conditioning(
    params: Img2ImgParams, checkpoint: Checkpoint, pictures: Sequence[InitPicture], *, like: Tensor
) -> Tensor | None:
    if checkpoint.edits:
        return condition_on_edited(checkpoint, pictures, like=like)
    if not checkpoint.inpainting:
        return None
    weight = params.options.inpainting_mask_weight
    return condition_on_pictures(checkpoint, pictures, like=like, mask_weight=weight, rounded=params.mask_round)


def _composed(options: Options, image: Image.Image, picture: InitPicture, upscaler: Upscaler | None) -> Image.Image:
    if picture.overlay is None or not options.overlay_inpaint:
        return image
    return paste_back(image, picture.overlay, region=picture.region, upscaler=upscaler)


def _masks(options: Options, image: Image.Image, picture: InitPicture, upscaler: Upscaler | None) -> list[Image.Image]:
    """The pictures that `return_mask` and `return_mask_composite` add to a drawn picture."""
    mask = picture.overlay_mask
    if mask is None:
        return []
    beside = [mask.convert("RGB")] if options.return_mask else []
    if options.return_mask_composite:
        region = picture.region if options.overlay_inpaint else None
        beside.append(cut_out(put_at(image, size=mask.size, region=region, upscaler=upscaler), mask))
    return beside


def _noise_multiplier(params: Img2ImgParams) -> float:
    own = params.initial_noise_multiplier
    return params.options.initial_noise_multiplier if own is None else own


def _extra(params: Img2ImgParams, *, masked: bool) -> dict[str, InfoValue]:
    if params.mask is None:
        return img2img_extra(denoising_strength=params.denoising_strength)
    blur_x, blur_y = params.mask_blur_axes()
    # WebUI records blur and mode before it checks whether anything is masked.
    mask = MaskRecord(
        blur_x=blur_x,
        blur_y=blur_y,
        inverted=bool(params.inpainting_mask_invert),
        inpainting_fill=params.inpainting_fill if masked else ORIGINAL_CONTENT,
        only_masked_padding=params.inpaint_full_res_padding if params.inpaint_full_res and masked else None,
    )
    return img2img_extra(denoising_strength=params.denoising_strength, mask=mask)
