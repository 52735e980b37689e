"""Samples one batch: start, sampler and mask (semantics §2.6, §2.10)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.samplers import SAMPLERS, SamplerChoice
from generate_on_cloud.contract.scripts import SoftInpainting
from inference_container.diffusion.brownian import BrownianNoise
from inference_container.diffusion.control import Control, ControlPlan
from inference_container.diffusion.denoiser import DenoiserCall, GuidedDenoiser
from inference_container.diffusion.denoising_model import DenoisingModel, Refiner, Takeover
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.mask_blend import LatentBlend, MaskBlend
from inference_container.diffusion.noise import ImageNoise, NoiseFunction
from inference_container.diffusion.noise_recovery import RecoveredNoise
from inference_container.diffusion.noise_schedule import LcmNoiseSchedule, NoiseSchedule
from inference_container.diffusion.parameterization import (
    LcmParameterization,
    Parameterization,
    SigmaParameterization,
    TimestepParameterization,
    check_prediction_type,
)
from inference_container.diffusion.samplers.run import SamplerOptions, SamplerRun
from inference_container.diffusion.samplers.table import SAMPLER_FUNCTIONS, SamplerMethod
from inference_container.diffusion.schedules import ScheduleOptions, sigmas_for, timesteps_for
from inference_container.diffusion.soft_inpainting import SoftBlend
from inference_container.diffusion.step_plan import NO_STEPS, StepPlan, plan_steps


@dataclass(frozen=True)
class ImageStart:
    """The start of sampling in img2img."""

    latent: Tensor
    """(B or 1, 4, h, w): the encoded and filled picture."""
    denoising_strength: float
    """0..1; even 1 starts from the picture with noise added, never from pure noise."""
    fix_steps: bool = False
    """Option `img2img_fix_steps`; always on in the hires pass."""
    repaint: Tensor | None = None
    """Latent mask, 1 = repaint, broadcastable to `latent`; None repaints everything."""
    soft: SoftInpainting | None = None
    """If set, `repaint` may have any values from 0 to 1 and fades in as the noise decreases."""
    noise_multiplier: float = 1.0
    """`initial_noise_multiplier`."""
    extra_noise: float = 0.0
    """Option `img2img_extra_noise`."""
    recovered: RecoveredNoise | None = None
    """Noise of the picture itself, which replaces the seeds' initial noise."""


@dataclass(frozen=True)
class SamplingRequest:
    """One batch of images to sample."""

    choice: SamplerChoice
    steps: int
    guidance: Guidance
    noise: ImageNoise
    start: ImageStart | None = None
    """None: txt2img."""
    image_conditioning: Tensor | None = None
    """Channels appended to the latent, (B or 1, C, h, w); see `GuidedDenoiser`."""
    controls: tuple[Control, ...] = ()
    """ControlNets with maps of the sampled size."""
    refiner: Refiner | None = None
    """None: one model makes all calls."""
    options: SamplerOptions = field(default_factory=SamplerOptions)
    schedule_options: ScheduleOptions = field(default_factory=ScheduleOptions)
    sgm_noise_multiplier: bool = False
    """txt2img starts with noise·sqrt(1+σ²) instead of noise·σ; no effect on timestep samplers."""
    quantize: bool = False
    """Option `enable_quantization`."""
    noise_at_once: bool = False
    """Option `no_dpmpp_sde_batch_determinism`: the Brownian noise of a batch is one, over the σ's that are run."""


NO_NOISE = torch.zeros(1)
"""The schedule of no steps: σ = 0."""


@dataclass(frozen=True)
class _Levels:
    schedule: NoiseSchedule
    full: Tensor
    """The σ's or timesteps of the whole schedule."""
    run: Tensor
    """Those that are sampled."""
    plan: StepPlan | None


def _levels(alphas_cumprod: Tensor, request: SamplingRequest) -> _Levels:
    try:
        return _find_levels(alphas_cumprod, request)
    except ValueError as error:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"{request.choice.sampler}: {error}") from error


def _find_levels(alphas_cumprod: Tensor, request: SamplingRequest) -> _Levels:
    choice, start, method = request.choice, request.start, SAMPLER_FUNCTIONS[request.choice.sampler]
    schedule = LcmNoiseSchedule(alphas_cumprod) if method.lcm else NoiseSchedule(alphas_cumprod)
    plan = None
    if start is not None:
        plan = plan_steps(request.steps, start.denoising_strength, fix_steps=start.fix_steps)
    if plan == NO_STEPS:
        return _Levels(schedule, NO_NOISE, NO_NOISE, plan)
    steps = request.steps if plan is None else plan.schedule_steps
    if SAMPLERS[choice.sampler].timestep:
        timesteps = timesteps_for(steps, schedule, options=request.schedule_options)
        return _Levels(schedule, timesteps, timesteps if plan is None else timesteps[: plan.t_enc], plan)
    sigmas = sigmas_for(choice, steps, schedule, options=request.schedule_options)
    run = sigmas if plan is None else sigmas[plan.start :]
    if method.range_only:
        high, low = (run[0], run[-2]) if plan is not None else (schedule.sigma_max, schedule.sigma_min)
        run = torch.linspace(float(high), float(low), len(run))
    return _Levels(schedule, sigmas, run, plan)


def planned_calls(alphas_cumprod: Tensor, request: SamplingRequest) -> int:
    """The number of model calls that `sample` will make, the total for progress; an estimate for DPM adaptive.

    Raises:
        JobFailed: as in `sample`.
    """
    levels = _levels(alphas_cumprod, request)
    return 0 if levels.plan == NO_STEPS else SAMPLER_FUNCTIONS[request.choice.sampler].calls(levels.run)


@torch.inference_mode()
def sample(
    model: DenoisingModel,
    request: SamplingRequest,
    *,
    on_call: Callable[[int], None] | None = None,
    recorder: Callable[[DenoiserCall], None] | None = None,
    is_skipped: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Sample one batch.

    Args:
        model: the weights, their noise schedule and prediction type.
        request: everything else; `request.noise` must be unused, because its stream is consumed.
        on_call: called after every model call with the number of calls so far (of `planned_calls`); may raise.
        recorder: receives every model call.
        is_skipped: asked after every model call; True ends the sampling with the picture that this call predicts, as
            WebUI's Skip does.

    Returns:
        Latents, float32 (B,4,h,w) on the model's device; with a mask, cells that are not repainted equal the picture's.

    Raises:
        JobFailed: the model returned NaN, or no schedule exists for the parameters.
        ValueError: tensors or prompts do not match each other.
    """
    check_prediction_type(model.prediction_type)
    method = SAMPLER_FUNCTIONS[request.choice.sampler]
    levels = _levels(model.alphas_cumprod, request)
    first = request.noise.first().to(model.device)
    if len(first) != len(request.guidance.cond):
        raise ValueError(f"received {len(request.guidance.cond)} prompts for {len(first)} seeds")

    x, blend = _start(first, request, levels)
    if levels.plan == NO_STEPS:
        return x if blend is None else blend.finish(x)
    denoiser = GuidedDenoiser(
        model,
        _parameterization(model, request, levels.schedule),
        request.guidance,
        total_steps=_total_steps(request, levels.plan),
        cfg_divisor=method.cfg_divisor,
        blend=blend,
        image_conditioning=request.image_conditioning,
        control=_control(request, levels.plan) if request.controls else None,
        takeover=_takeover(request, levels),
        on_call=on_call,
        recorder=_ending(recorder, is_skipped),
    )
    run = SamplerRun(
        levels=levels.run,
        noise=_noise(request, method, levels),
        options=request.options,
        schedule=levels.schedule,
        from_image=request.start is not None,
    )
    try:
        latents = method.function(denoiser, x, run)
    except _SkippedError as end:
        timestep = SAMPLERS[request.choice.sampler].timestep
        latents = end.call.expected(levels.schedule.alphas_cumprod if timestep else None)
    # WebUI leaves out the last blend for recovered noise.
    recovered = request.start is not None and request.start.recovered is not None
    return latents if blend is None or recovered else blend.finish(latents)


class _SkippedError(Exception):
    """The rest of the sampling is left out; `call` was the last one."""

    def __init__(self, call: DenoiserCall) -> None:
        super().__init__()
        self.call = call


def _ending(
    recorder: Callable[[DenoiserCall], None] | None, is_skipped: Callable[[], bool]
) -> Callable[[DenoiserCall], None]:
    def record(call: DenoiserCall) -> None:
        if recorder is not None:
            recorder(call)
        if is_skipped():
            raise _SkippedError(call)

    return record


def _start(first: Tensor, request: SamplingRequest, levels: _Levels) -> tuple[Tensor, MaskBlend | None]:
    """The latent that sampling starts from, and the mask that keeps parts of the picture."""
    timestep = SAMPLERS[request.choice.sampler].timestep
    start, plan = request.start, levels.plan
    if start is None or plan is None:
        if timestep:
            return first, None
        sigma = levels.run[0].to(first.device)
        return first * ((1 + sigma**2) ** 0.5 if request.sgm_noise_multiplier else sigma), None
    latent = start.latent.to(first)
    if latent.shape[1:] != first.shape[1:] or len(latent) not in (1, len(first)):
        raise ValueError(f"received an init latent of shape {tuple(latent.shape)} for noise {tuple(first.shape)}")
    noise = first * start.noise_multiplier
    if start.recovered is not None:
        noise = start.recovered.mixed(first) - latent / levels.schedule.sigma_max
    if plan == NO_STEPS:
        x = latent.expand_as(noise) + noise * start.extra_noise
    elif timestep:
        alpha = levels.schedule.alphas_cumprod[levels.full[plan.t_enc]].to(first.device)
        x = latent * alpha.sqrt() + noise * (1 - alpha).sqrt() + noise * start.extra_noise * alpha.sqrt()
    else:
        x = latent + noise * levels.run[0].to(first.device) + noise * start.extra_noise
    if start.repaint is None:
        return x, None
    repaint = start.repaint.to(first)
    return x, LatentBlend(latent, repaint) if start.soft is None else SoftBlend(start.soft, latent, repaint)


def _noise(request: SamplingRequest, method: SamplerMethod, levels: _Levels) -> NoiseFunction:
    noise = request.noise
    if method.brownian and request.noise_at_once:
        return BrownianNoise(noise, levels.run, at_once=True)
    if method.brownian:
        return BrownianNoise(noise, levels.full)
    if request.start is not None and request.start.recovered is not None:
        stream = _whole_stream(noise)
        return lambda _level, _next: next(stream)
    return lambda _level, _next: noise.next()


def _whole_stream(noise: ImageNoise) -> Iterator[Tensor]:
    """All noise of the seeds: what is mixed into recovered noise comes from generators apart in WebUI."""
    yield noise.first()
    while True:
        yield noise.next()


def _parameterization(model: DenoisingModel, request: SamplingRequest, schedule: NoiseSchedule) -> Parameterization:
    if isinstance(schedule, LcmNoiseSchedule):
        return LcmParameterization(schedule, model.prediction_type)
    if SAMPLERS[request.choice.sampler].timestep:
        return TimestepParameterization(schedule, model.prediction_type)
    return SigmaParameterization(schedule, model.prediction_type, quantize=request.quantize)


def _control(request: SamplingRequest, plan: StepPlan | None) -> ControlPlan:
    calls = 2 if SAMPLERS[request.choice.sampler].second_order else 1
    return ControlPlan(request.controls, _total_steps(request, plan) // calls, calls_per_step=calls)


def _takeover(request: SamplingRequest, levels: _Levels) -> Takeover | None:
    refiner = request.refiner
    if refiner is None:
        return None
    check_prediction_type(refiner.model.prediction_type)
    kind = type(levels.schedule)
    parameterization = _parameterization(refiner.model, request, kind(refiner.model.alphas_cumprod))
    sigmas = None if SAMPLERS[request.choice.sampler].timestep else levels.schedule.sigmas
    return Takeover(refiner, parameterization, sigmas)


def _total_steps(request: SamplingRequest, plan: StepPlan | None) -> int:
    steps = request.steps if plan is None else plan.t_enc + 1
    return steps * 2 if SAMPLERS[request.choice.sampler].second_order else steps
