"""The part txt2img and img2img share: every batch sampled with its own seeds and decoded picture by picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from PIL import Image
from torch import Tensor

from inference_container.contract.jobs import JobPhase
from inference_container.contract.params import ImageParams
from inference_container.diffusion.denoiser import Guidance
from inference_container.diffusion.noise import ImageNoise, RandomSource, Variation
from inference_container.diffusion.samplers.run import SamplerOptions
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, planned_calls, sample
from inference_container.diffusion.schedules import ScheduleOptions
from inference_container.models.checkpoint import Checkpoint
from inference_container.tasks.latents import decode_image, latent_size
from inference_container.tasks.progress import JobProgress
from inference_container.tasks.seeds import Seeds
from inference_container.tasks.wording import Conditioner, Wording


@dataclass(frozen=True)
class Drawing:
    """What all batches of a job have in common."""

    params: ImageParams
    checkpoint: Checkpoint
    wording: Wording
    seeds: Seeds
    batch_size: int
    """Pictures at once; img2img may have fewer init pictures than `params.batch_size`."""
    start: ImageStart | None = None
    """Where every batch starts from; None: noise alone."""
    image_conditioning: Tensor | None = None
    """Channels appended to the latents, for inpainting checkpoints."""


def draw(drawing: Drawing, progress: JobProgress) -> Iterator[Image.Image]:
    """Yield the decoded pictures, RGB, in the order of their seeds.

    Raises:
        JobFailed: a prompt or setting that cannot be used, not-a-number results, or the job was canceled.
    """
    with progress.phase(JobPhase.ENCODING):
        guidance = _guidance(drawing)
    calls = planned_calls(drawing.checkpoint.alphas_cumprod, _request(drawing, guidance, batch=0))
    progress.expect(calls * drawing.params.n_iter)
    for batch in range(drawing.params.n_iter):
        done = calls * batch
        with progress.phase(JobPhase.SAMPLING):
            request = _request(drawing, guidance, batch=batch)
            latents = sample(drawing.checkpoint, request, on_call=progress.counter(start=done, end=done + calls))
            progress.advance_to(done + calls)
        with progress.phase(JobPhase.DECODING):
            images = [decode_image(drawing.checkpoint, one) for one in latents]
        yield from images


def batch_noise(drawing: Drawing, *, batch: int) -> ImageNoise:
    """The noise of all pictures of one batch, nothing drawn yet."""
    params = drawing.params
    mine = slice(batch * drawing.batch_size, (batch + 1) * drawing.batch_size)
    return ImageNoise(
        drawing.seeds.seeds[mine],
        latent_shape(params, drawing.checkpoint),
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


def _guidance(drawing: Drawing) -> Guidance:
    params, checkpoint = drawing.params, drawing.checkpoint
    conditioner = Conditioner(checkpoint=checkpoint, params=params)
    empty_chunk = conditioner.empty_chunk() if params.option("pad_cond_uncond") else None
    return Guidance(
        cond=conditioner.positive([drawing.wording.prompt] * drawing.batch_size),
        uncond=conditioner.negative([drawing.wording.negative_prompt] * drawing.batch_size),
        cfg_scale=params.cfg_scale,
        s_min_uncond=float(params.option("s_min_uncond") if params.s_min_uncond is None else params.s_min_uncond),
        s_min_uncond_all=bool(params.option("s_min_uncond_all")),
        skip_early_cond=float(params.option("skip_early_cond")),
        empty_chunk=empty_chunk,
    )


def _request(drawing: Drawing, guidance: Guidance, *, batch: int) -> SamplingRequest:
    params = drawing.params
    return SamplingRequest(
        choice=params.sampler_choice(),
        steps=params.steps,
        guidance=guidance,
        noise=batch_noise(drawing, batch=batch),
        start=drawing.start,
        image_conditioning=drawing.image_conditioning,
        options=SamplerOptions.from_params(params),
        schedule_options=ScheduleOptions.from_params(params),
        sgm_noise_multiplier=bool(params.option("sgm_noise_multiplier")),
        quantize=bool(params.option("enable_quantization")),
    )
