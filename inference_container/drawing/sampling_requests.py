"""Builds the sampling requests of a pass for one batch: noise from its seeds, start, guidance and options."""

import torch
from torch import Tensor

from generate_on_cloud.contract.params import ImageParams
from inference_container.diffusion.noise import ImageNoise, LatentShape, NoiseOver, RandomSource, Variation
from inference_container.diffusion.samplers.run import SamplerOptions
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, planned_calls
from inference_container.diffusion.schedules import ScheduleOptions
from inference_container.drawing.hires import HiresPlan
from inference_container.drawing.image_conditioning import condition_on_latents
from inference_container.drawing.latents import latent_size
from inference_container.drawing.passes import Pass
from inference_container.drawing.size_conditioning import SIZED
from inference_container.models.checkpoint import Checkpoint


def first_request(one: Pass, *, batch: int) -> SamplingRequest:
    """The request of the first pass."""
    plan, params, options = one.plan, one.plan.params, one.plan.params.options
    return SamplingRequest(
        choice=params.sampler_choice(),
        steps=params.steps,
        guidance=one.guidance,
        refiner=one.refiner,
        noise=_over_origin(one, _batch_noise(one, latent_shape(params, one.checkpoint), batch=batch), batch=batch),
        start=plan.start,
        image_conditioning=plan.image_conditioning,
        controls=plan.controls.first,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(one),
        sgm_noise_multiplier=options.sgm_noise_multiplier,
        quantize=options.enable_quantization,
        noise_at_once=options.no_dpmpp_sde_batch_determinism,
    )


def hires_request(
    one: Pass, hires: HiresPlan, latents: Tensor, *, batch: int, conditioned: bool = True
) -> SamplingRequest:
    """The request of the second pass from the enlarged `latents` (B,4,h,w).

    To count calls only, it can be built without image conditioning.
    """
    plan, params, options = one.plan, one.plan.params, one.plan.params.options
    conditioning = None
    if conditioned and one.checkpoint.inpainting:
        conditioning = condition_on_latents(one.checkpoint, latents, mask_weight=options.inpainting_mask_weight)
    return SamplingRequest(
        choice=hires.choice,
        steps=hires.steps,
        guidance=one.guidance,
        refiner=one.refiner,
        noise=_batch_noise(one, _hires_shape(one, hires), batch=batch),
        start=ImageStart(
            latent=latents,
            denoising_strength=hires.denoising_strength,
            fix_steps=True,
            extra_noise=options.img2img_extra_noise,
        ),
        image_conditioning=conditioning,
        controls=plan.controls.hires,
        options=SamplerOptions.from_params(params),
        schedule_options=_schedule_options(one),
        quantize=options.enable_quantization,
        noise_at_once=options.no_dpmpp_sde_batch_determinism,
    )


def calls_per_batch(first: Pass, second: Pass | None) -> tuple[int, int]:
    """The number of model calls for one batch, in the first pass and in the second."""
    hires = first.plan.hires
    calls = 0
    if hires is None or hires.first_picture is None:
        calls = planned_calls(first.checkpoint.alphas_cumprod, first_request(first, batch=0))
    if hires is None or second is None:
        return calls, 0
    latents = torch.zeros((1, *_hires_shape(second, hires)))
    request = hires_request(second, hires, latents, batch=0, conditioned=False)
    return calls, planned_calls(second.checkpoint.alphas_cumprod, request)


def latent_shape(params: ImageParams, checkpoint: Checkpoint) -> LatentShape:
    """Channels, height and width of one picture's latents at the request's size."""
    columns, rows = latent_size(params.width, params.height)
    return int(checkpoint.vae.config.latent_channels), rows, columns


def random_source(params: ImageParams) -> RandomSource:
    """The request's `randn_source`, which the contract has validated."""
    return params.options.randn_source


def _hires_shape(one: Pass, hires: HiresPlan) -> LatentShape:
    columns, rows = hires.latent_size
    return int(one.checkpoint.vae.config.latent_channels), rows, columns


def _batch_noise(one: Pass, shape: LatentShape, *, batch: int) -> ImageNoise:
    """Unused noise for all pictures of one batch."""
    plan, params = one.plan, one.plan.params
    mine = slice(batch * plan.batch_size, (batch + 1) * plan.batch_size)
    return ImageNoise(
        plan.seeds.seeds[mine],
        shape,
        source=random_source(params),
        device=one.checkpoint.device,
        variation=Variation(plan.seeds.subseeds[mine], params.subseed_strength),
        resize_from=(params.seed_resize_from_h, params.seed_resize_from_w),
        eta_noise_seed_delta=params.options.eta_noise_seed_delta,
    )


def _over_origin(one: Pass, noise: ImageNoise, *, batch: int) -> ImageNoise:
    """The extension puts its latents under the first batch's noise; with a refiner, under all but the first's."""
    origin = one.plan.controls.origin
    if origin is None or (batch > 0) != (one.plan.refiner is not None):
        return noise
    return NoiseOver(noise, origin, alpha=one.checkpoint.alphas_cumprod[-1])


def _schedule_options(one: Pass) -> ScheduleOptions:
    return ScheduleOptions.from_params(one.plan.params, sdxl=one.checkpoint.family in SIZED)
