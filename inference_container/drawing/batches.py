"""The part txt2img and img2img share: every batch sampled with its own seeds and decoded picture by picture."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.samplers import SAMPLERS
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.diffusion.noise import ImageNoise, LatentShape, RandomSource, Variation
from inference_container.diffusion.samplers.run import SamplerOptions
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, planned_calls, sample
from inference_container.diffusion.schedules import ScheduleOptions
from inference_container.drawing.hires import HiresPass, enlarge
from inference_container.drawing.image_conditioning import condition_on_latents
from inference_container.drawing.latents import decode_image, latent_size
from inference_container.drawing.passes import Drawing, Pass, first_pass, second_pass
from inference_container.drawing.previews import expected_latents, preview_jpeg
from inference_container.drawing.sampling_record import late_extra, sampling_extra
from inference_container.drawing.size_conditioning import SIZED
from inference_container.drawing.token_merging import merged_tokens
from inference_container.models.checkpoint import Checkpoint
from inference_container.progress import JobProgress


def draw(drawing: Drawing, progress: JobProgress) -> Iterator[Image.Image]:
    """Yield the decoded pictures, RGB, in the order of their seeds.

    Raises:
        JobFailed: a prompt, network or setting that cannot be used, not-a-number results, or the job was canceled.
    """
    with ExitStack() as stack:
        yield from _draw_batches(drawing, stack, progress)


def _draw_batches(drawing: Drawing, stack: ExitStack, progress: JobProgress) -> Iterator[Image.Image]:
    hires, params = drawing.hires, drawing.params
    if hires is None:
        first, second = first_pass(drawing, stack, progress), None
    else:
        # WebUI's refiner takes over in the second pass alone (its option `hires_fix_refiner_pass`).
        first = first_pass(replace(drawing, refiner=None), stack, progress)
        other = drawing.hires_checkpoint or drawing.checkpoint
        shared = first.networks if other.unet is drawing.checkpoint.unet else None
        second = second_pass(replace(drawing, checkpoint=other), hires, shared, stack, progress)
    noise_schedule = params.options.sd_noise_schedule
    if noise_schedule != "Default":
        drawing.notes["Noise Schedule"] = noise_schedule
    if drawing.start is not None and drawing.start.noise_multiplier != 1:
        drawing.notes["Noise multiplier"] = drawing.start.noise_multiplier
    calls = _planned_calls(first, second, hires)
    progress.expect(sum(calls) * params.n_iter)
    for batch in range(params.n_iter):
        done = sum(calls) * batch
        with progress.phase(JobPhase.SAMPLING):
            latents: Tensor | None = None
            if hires is None or hires.first_picture is None:
                first.networks.use(drawing.prompts.networks)
                request = _request(first, batch=batch)
                with merged_tokens(first.drawing):
                    latents = _sample(first, request, progress, start=done, end=done + calls[0])
            if hires is not None and second is not None:
                second.networks.use(hires.prompts.networks)
                enlarged = enlarge(drawing.checkpoint, latents, hires, second=second.drawing.checkpoint)
                request = _hires_request(second, hires, enlarged, batch=batch)
                with merged_tokens(second.drawing, hires=True):
                    latents = _sample(second, request, progress, start=done + calls[0], end=done + sum(calls))
        if latents is None:
            raise TypeError("received a drawing without a pass to make")
        if drawing.on_latents is not None:
            drawing.on_latents(latents)
        with progress.phase(JobPhase.DECODING):
            decoder = (second or first).last_checkpoint
            images = [decode_image(decoder, one) for one in latents]
        yield from images


def batch_noise(drawing: Drawing, *, batch: int, shape: LatentShape | None = None) -> ImageNoise:
    """The noise of all pictures of one batch, nothing drawn yet; `shape` when it is not that of the request's size."""
    params = drawing.params
    mine = slice(batch * drawing.batch_size, (batch + 1) * drawing.batch_size)
    return ImageNoise(
        drawing.seeds.seeds[mine],
        shape or latent_shape(params, drawing.checkpoint),
        source=random_source(params),
        device=drawing.checkpoint.device,
        variation=Variation(drawing.seeds.subseeds[mine], params.subseed_strength),
        resize_from=(params.seed_resize_from_h, params.seed_resize_from_w),
        eta_noise_seed_delta=params.options.eta_noise_seed_delta,
    )


def latent_shape(params: ImageParams, checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Of one picture's latents: channels, height, width."""
    columns, rows = latent_size(params.width, params.height)
    return int(checkpoint.vae.config.latent_channels), rows, columns


def random_source(params: ImageParams) -> RandomSource:
    """The request's `randn_source`, which the contract has checked."""
    return params.options.randn_source


def _planned_calls(first: Pass, second: Pass | None, hires: HiresPass | None) -> tuple[int, int]:
    """Of the model in one batch: the first pass, the second pass."""
    calls = 0
    if hires is None or hires.first_picture is None:
        calls = planned_calls(first.drawing.checkpoint.alphas_cumprod, _request(first, batch=0))
    if hires is None or second is None:
        return calls, 0
    shape = _hires_shape(second.drawing, hires)
    request = _hires_request(second, hires, torch.zeros((1, *shape)), batch=0, conditioned=False)
    return calls, planned_calls(second.drawing.checkpoint.alphas_cumprod, request)


def _request(one: Pass, *, batch: int) -> SamplingRequest:
    drawing, params = one.drawing, one.drawing.params
    return SamplingRequest(
        choice=params.sampler_choice(),
        steps=params.steps,
        guidance=one.guidance,
        refiner=one.refiner,
        noise=batch_noise(drawing, batch=batch),
        start=drawing.start,
        image_conditioning=drawing.image_conditioning,
        controls=drawing.controls.first,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(drawing),
        sgm_noise_multiplier=params.options.sgm_noise_multiplier,
        quantize=params.options.enable_quantization,
    )


def _schedule_options(drawing: Drawing) -> ScheduleOptions:
    return ScheduleOptions.from_params(drawing.params, sdxl=drawing.checkpoint.family in SIZED)


def _hires_shape(drawing: Drawing, hires: HiresPass) -> LatentShape:
    columns, rows = hires.latent_size
    return int(drawing.checkpoint.vae.config.latent_channels), rows, columns


def _hires_request(
    one: Pass, hires: HiresPass, latents: Tensor, *, batch: int, conditioned: bool = True
) -> SamplingRequest:
    drawing, params, conditioning = one.drawing, one.drawing.params, None
    if conditioned and drawing.checkpoint.inpainting:
        weight = params.options.inpainting_mask_weight
        conditioning = condition_on_latents(drawing.checkpoint, latents, mask_weight=weight)
    return SamplingRequest(
        choice=hires.choice,
        steps=hires.steps,
        guidance=one.guidance,
        refiner=one.refiner,
        noise=batch_noise(drawing, batch=batch, shape=_hires_shape(drawing, hires)),
        start=ImageStart(
            latent=latents,
            denoising_strength=hires.denoising_strength,
            fix_steps=True,
            extra_noise=params.options.img2img_extra_noise,
        ),
        image_conditioning=conditioning,
        controls=drawing.controls.hires,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(drawing),
        quantize=params.options.enable_quantization,
    )


def _sample(one: Pass, request: SamplingRequest, progress: JobProgress, *, start: int, end: int) -> Tensor:
    """One pass, noting what WebUI's infotext tells of it."""
    drawing, guidance = one.drawing, request.guidance
    params, notes = drawing.params, drawing.notes
    one.taken_over.clear()
    timestep = SAMPLERS[request.choice.sampler].timestep
    notes.update(sampling_extra(params, request.choice, from_image=request.start is not None))

    def note(call: DenoiserCall) -> None:
        if call.left_out == "late":
            notes.update(late_extra(params, guidance.s_min_uncond))
        if drawing.preview is not None:
            latents = expected_latents(call, one.last_checkpoint, timestep_sampler=timestep)
            drawing.preview(partial(preview_jpeg, latents, family=one.last_checkpoint.family))

    latents = sample(drawing.checkpoint, request, on_call=progress.counter(start=start, end=end), recorder=note)
    if guidance.pads_prompts:
        notes["Pad conds"] = True
    progress.advance_to(end)
    return latents
