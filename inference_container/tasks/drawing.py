"""The part txt2img and img2img share: every batch sampled with its own seeds and decoded picture by picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from inference_container.contract.jobs import JobPhase
from inference_container.contract.params import ImageParams
from inference_container.contract.samplers import SAMPLERS
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise import ImageNoise, LatentShape, RandomSource, Variation
from inference_container.diffusion.samplers.run import SamplerOptions
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, planned_calls, sample
from inference_container.diffusion.schedules import ScheduleOptions
from inference_container.infotext.record import InfoValue
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.networks.switch import NetworkSwitch
from inference_container.tasks.controlnet import Controls
from inference_container.tasks.hires import HiresPass, enlarge
from inference_container.tasks.image_conditioning import condition_on_latents
from inference_container.tasks.latents import decode_image, latent_size
from inference_container.tasks.previews import expected_latents, preview_jpeg
from inference_container.tasks.progress import JobProgress
from inference_container.tasks.sampling_record import late_extra, sampling_extra
from inference_container.tasks.seeds import Seeds
from inference_container.tasks.size_conditioning import SIZED, size_conditions
from inference_container.tasks.task import OfferPreview
from inference_container.tasks.wording import Conditioner, Wording


@dataclass(frozen=True)
class Drawing:
    """What all batches of a job have in common."""

    params: ImageParams
    checkpoint: Checkpoint
    wording: Wording
    seeds: Seeds
    files: JobFiles
    """Among them the networks that the prompts name."""
    models: ModelCache
    batch_size: int
    """Pictures at once; img2img may have fewer init pictures than `params.batch_size`."""
    start: ImageStart | None = None
    """Where every batch starts from; None: noise alone."""
    image_conditioning: Tensor | None = None
    """Channels appended to the latents, for inpainting and InstructPix2Pix checkpoints."""
    image_cfg_scale: float | None = None
    """For InstructPix2Pix checkpoints only."""
    controls: Controls = field(default_factory=Controls)
    """ControlNets."""
    hires: HiresPass | None = None
    """A second pass after each batch's first."""
    on_latents: Callable[[Tensor], None] | None = None
    """Given every batch's finished latents."""
    preview: OfferPreview | None = None
    """Given the expected picture at every model call; None: nobody asked."""
    notes: dict[str, InfoValue] = field(default_factory=dict)
    """What sampling adds to infotext, in WebUI's order; complete when the last picture is drawn."""


def draw(drawing: Drawing, progress: JobProgress) -> Iterator[Image.Image]:
    """Yield the decoded pictures, RGB, in the order of their seeds.

    Raises:
        JobFailed: a prompt, network or setting that cannot be used, not-a-number results, or the job was canceled.
    """
    with NetworkSwitch(drawing.checkpoint, files=drawing.files, models=drawing.models) as networks:
        yield from _draw_batches(drawing, networks, progress)


def _draw_batches(drawing: Drawing, networks: NetworkSwitch, progress: JobProgress) -> Iterator[Image.Image]:
    # Each pass is encoded and sampled under the networks of its own prompt.
    _use(drawing, networks, drawing.wording, progress)
    with progress.phase(JobPhase.ENCODING):
        guidance = _guidance(drawing, networks)
    hires_guidance = None
    if drawing.hires is not None:
        _use(drawing, networks, drawing.hires.wording, progress)
        with progress.phase(JobPhase.ENCODING):
            hires_guidance = _hires_guidance(drawing, networks, drawing.hires)
    noise_schedule = drawing.params.option("sd_noise_schedule")
    if noise_schedule != "Default":
        drawing.notes["Noise Schedule"] = noise_schedule
    if drawing.start is not None and drawing.start.noise_multiplier != 1:
        drawing.notes["Noise multiplier"] = drawing.start.noise_multiplier
    calls = _planned_calls(drawing, guidance, hires_guidance)
    progress.expect(sum(calls) * drawing.params.n_iter)
    for batch in range(drawing.params.n_iter):
        done = sum(calls) * batch
        with progress.phase(JobPhase.SAMPLING):
            latents: Tensor | None = None
            if drawing.hires is None or drawing.hires.first_picture is None:
                networks.use(drawing.wording.networks)
                request = _request(drawing, guidance, batch=batch)
                latents = _sample(drawing, request, progress, start=done, end=done + calls[0])
            if drawing.hires is not None and hires_guidance is not None:
                networks.use(drawing.hires.wording.networks)
                enlarged = enlarge(drawing.checkpoint, latents, drawing.hires)
                request = _hires_request(drawing, drawing.hires, hires_guidance, enlarged, batch=batch)
                latents = _sample(drawing, request, progress, start=done + calls[0], end=done + sum(calls))
        if latents is None:
            raise TypeError("received a drawing without a pass to make")
        if drawing.on_latents is not None:
            drawing.on_latents(latents)
        with progress.phase(JobPhase.DECODING):
            images = [decode_image(drawing.checkpoint, one) for one in latents]
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
        eta_noise_seed_delta=int(params.option("eta_noise_seed_delta")),
    )


def latent_shape(params: ImageParams, checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Of one picture's latents: channels, height, width."""
    columns, rows = latent_size(params.width, params.height)
    return int(checkpoint.vae.config.latent_channels), rows, columns


def random_source(params: ImageParams) -> RandomSource:
    """The request's `randn_source`, which the contract has checked."""
    return cast(RandomSource, params.option("randn_source"))


def _use(drawing: Drawing, networks: NetworkSwitch, wording: Wording, progress: JobProgress) -> None:
    if not networks.uses(wording.networks):
        with progress.phase(JobPhase.LOADING_MODELS):
            networks.use(wording.networks)
    drawing.notes.update(networks.infotext_extra())


def _guidance(drawing: Drawing, networks: NetworkSwitch) -> Guidance:
    conditioner = Conditioner(checkpoint=drawing.checkpoint, params=drawing.params, inversions=networks.inversions())
    size = (drawing.params.width, drawing.params.height)
    guidance = _guided_by(drawing, conditioner, drawing.wording, size=size)
    drawing.notes.update(conditioner.infotext_extra(drawing.wording))
    return guidance


def _hires_guidance(drawing: Drawing, networks: NetworkSwitch, hires: HiresPass) -> Guidance:
    conditioner = Conditioner(
        checkpoint=drawing.checkpoint,
        params=drawing.params,
        inversions=networks.inversions(),
        hires_choice=hires.choice,
        hires_steps=hires.steps,
    )
    return _guided_by(drawing, conditioner, hires.wording, size=(hires.width, hires.height))


def _guided_by(drawing: Drawing, conditioner: Conditioner, wording: Wording, *, size: tuple[int, int]) -> Guidance:
    params = drawing.params
    time_ids, uncond_time_ids = size_conditions(params, drawing.checkpoint, width=size[0], height=size[1])
    return Guidance(
        time_ids=time_ids,
        uncond_time_ids=uncond_time_ids,
        cond=conditioner.positive([wording.prompt] * drawing.batch_size),
        uncond=conditioner.negative([wording.negative_prompt] * drawing.batch_size),
        cfg_scale=params.cfg_scale,
        image_cfg_scale=drawing.image_cfg_scale,
        s_min_uncond=float(params.option("s_min_uncond") if params.s_min_uncond is None else params.s_min_uncond),
        s_min_uncond_all=bool(params.option("s_min_uncond_all")),
        skip_early_cond=float(params.option("skip_early_cond")),
        empty_chunk=conditioner.empty_chunk() if params.option("pad_cond_uncond") else None,
    )


def _planned_calls(drawing: Drawing, guidance: Guidance, hires_guidance: Guidance | None) -> tuple[int, int]:
    """Of the model in one batch: the first pass, the second pass."""
    alphas, hires = drawing.checkpoint.alphas_cumprod, drawing.hires
    first = 0
    if hires is None or hires.first_picture is None:
        first = planned_calls(alphas, _request(drawing, guidance, batch=0))
    if hires is None or hires_guidance is None:
        return first, 0
    shape = _hires_shape(drawing, hires)
    request = _hires_request(drawing, hires, hires_guidance, torch.zeros((1, *shape)), batch=0, conditioned=False)
    return first, planned_calls(alphas, request)


def _request(drawing: Drawing, guidance: Guidance, *, batch: int) -> SamplingRequest:
    params = drawing.params
    return SamplingRequest(
        choice=params.sampler_choice(),
        steps=params.steps,
        guidance=guidance,
        noise=batch_noise(drawing, batch=batch),
        start=drawing.start,
        image_conditioning=drawing.image_conditioning,
        controls=drawing.controls.first,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(drawing),
        sgm_noise_multiplier=bool(params.option("sgm_noise_multiplier")),
        quantize=bool(params.option("enable_quantization")),
    )


def _schedule_options(drawing: Drawing) -> ScheduleOptions:
    return ScheduleOptions.from_params(drawing.params, sdxl=drawing.checkpoint.family in SIZED)


def _hires_shape(drawing: Drawing, hires: HiresPass) -> LatentShape:
    columns, rows = hires.latent_size
    return int(drawing.checkpoint.vae.config.latent_channels), rows, columns


def _hires_request(
    drawing: Drawing, hires: HiresPass, guidance: Guidance, latents: Tensor, *, batch: int, conditioned: bool = True
) -> SamplingRequest:
    params, conditioning = drawing.params, None
    if conditioned and drawing.checkpoint.inpainting:
        weight = float(params.option("inpainting_mask_weight"))
        conditioning = condition_on_latents(drawing.checkpoint, latents, mask_weight=weight)
    return SamplingRequest(
        choice=hires.choice,
        steps=hires.steps,
        guidance=guidance,
        noise=batch_noise(drawing, batch=batch, shape=_hires_shape(drawing, hires)),
        start=ImageStart(
            latent=latents,
            denoising_strength=hires.denoising_strength,
            fix_steps=True,
            extra_noise=float(params.option("img2img_extra_noise")),
        ),
        image_conditioning=conditioning,
        controls=drawing.controls.hires,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(drawing),
        quantize=bool(params.option("enable_quantization")),
    )


def _sample(drawing: Drawing, request: SamplingRequest, progress: JobProgress, *, start: int, end: int) -> Tensor:
    """One pass, noting what WebUI's infotext tells of it."""
    params, notes, guidance = drawing.params, drawing.notes, request.guidance
    timestep = SAMPLERS[request.choice.sampler].timestep
    notes.update(sampling_extra(params, request.choice, from_image=request.start is not None))

    def note(call: DenoiserCall) -> None:
        if call.left_out == "late":
            notes.update(late_extra(params, guidance.s_min_uncond))
        if drawing.preview is not None:
            latents = expected_latents(call, drawing.checkpoint, timestep_sampler=timestep)
            drawing.preview(partial(preview_jpeg, latents, family=drawing.checkpoint.family))

    latents = sample(drawing.checkpoint, request, on_call=progress.counter(start=start, end=end), recorder=note)
    if guidance.pads_prompts:
        notes["Pad conds"] = True
    progress.advance_to(end)
    return latents
