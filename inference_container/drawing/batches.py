"""Draws the batches of txt2img and img2img: samples each with its own seeds and decodes it picture by picture."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.samplers import SAMPLERS
from generate_on_cloud.model_files.tiny_vaes import METHOD
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.diffusion.denoiser import DenoiserCall
from inference_container.diffusion.sampling import SamplingRequest, sample
from inference_container.drawing.hires import encodes, enlarge
from inference_container.drawing.hypertile import second_pass_extra
from inference_container.drawing.latents import decode_image, encoder_extra
from inference_container.drawing.noise_recovery import recovery_calls, with_recovered_noise
from inference_container.drawing.passes import Pass, pass_notes, ready_passes
from inference_container.drawing.plan import DrawingPlan
from inference_container.drawing.previews import expected_latents, preview_jpeg
from inference_container.drawing.sampling_record import late_extra, sampling_extra
from inference_container.drawing.sampling_requests import calls_per_batch, first_request, hires_request
from inference_container.drawing.second_checkpoints import refiner_extra
from inference_container.drawing.token_merging import merged_tokens
from inference_container.models.checkpoint import Checkpoint
from inference_container.progress import JobProgress


@dataclass(frozen=True)
class Drawn:
    """The results of all batches of a job."""

    images: list[Image.Image]
    """RGB, in the order of their seeds."""
    latents: list[Tensor]
    """Latents of each batch, (B,4,h,w); empty unless the plan keeps them."""
    notes: dict[str, InfoValue]
    """Infotext entries of the passes and their sampling, in WebUI's order."""
    warnings: tuple[str, ...]
    """Parts of networks that were left out."""


@dataclass(frozen=True)
class Sampled:
    """The result of one pass of one batch."""

    latents: Tensor
    """(B,4,h,w)."""
    checkpoint: Checkpoint
    """The checkpoint that made the latents, whose VAE decodes them."""
    notes: dict[str, InfoValue]
    """The pass's infotext entries."""


def draw(plan: DrawingPlan, progress: JobProgress) -> Drawn:
    """Sample and decode every batch of `plan`; also the only place that collects infotext entries from the steps.

    Raises:
        JobFailed: a prompt, network or setting cannot be used, the result is NaN, or the job was canceled.
    """
    images: list[Image.Image] = []
    kept: list[Tensor] = []
    with ExitStack() as stack:
        # 1. Prepare the passes: networks, encoded prompts, refiner.
        first, second = ready_passes(plan, stack, progress)
        notes = {**pass_notes(first, second), **_start_extra(plan)}
        calls, before = calls_per_batch(first, second), recovery_calls(plan)
        progress.expect(before + sum(calls) * plan.params.n_iter)

        # 2. Find the noise of the init picture, if it is drawn from.
        if plan.recovery is not None:
            first = with_recovered_noise(first, plan.recovery, progress)

        for batch in range(plan.params.n_iter):
            # 3. Sample the batch in its passes.
            with progress.phase(JobPhase.SAMPLING):
                sampled = _sample_batch(first, second, progress, batch=batch, calls=calls, before=before)
            for one in sampled:
                notes |= one.notes
            last = sampled[-1]
            if plan.keep_latents:
                kept.append(last.latents)

            # 4. Decode it, and restore its faces.
            with progress.phase(JobPhase.DECODING), first.tiles.on_decoder(last.checkpoint):
                decoded = [plan.controls.finished(decode_image(last.checkpoint, one)) for one in last.latents]
            if plan.restore_faces is not None:
                with progress.phase(JobPhase.DECODING):
                    decoded = [plan.restore_faces(one) for one in decoded]
            images += decoded
            if second is None and last.checkpoint.tiny_decoder is not None:
                notes["VAE Decoder"] = METHOD  # WebUI notes it of the first pass only
        warnings = dict.fromkeys(warning for one in (first, second) if one for warning in one.networks.warnings)
    return Drawn(images, kept, notes, tuple(warnings))


def _start_extra(plan: DrawingPlan) -> dict[str, InfoValue]:
    """Infotext entries for the start of all batches."""
    extra: dict[str, InfoValue] = {}
    options = plan.params.options
    if options.use_downcasted_alpha_bar:
        extra["Downcast alphas_cumprod"] = True
    if options.sd_noise_schedule != "Default":
        extra["Noise Schedule"] = options.sd_noise_schedule
    if plan.start is not None and plan.start.noise_multiplier != 1:
        extra["Noise multiplier"] = plan.start.noise_multiplier
    return extra


def _sample_batch(
    first: Pass, second: Pass | None, progress: JobProgress, *, batch: int, calls: tuple[int, int], before: int
) -> list[Sampled]:
    """Run each pass of one batch; the last one has the finished latents.

    `calls` has the model calls of each pass, `before` those before all batches.
    """
    hires = None if second is None else second.hires
    done = before + sum(calls) * batch
    # Asked from here on: WebUI forgets it when a batch begins, too.
    skips = progress.skips()
    sampled: list[Sampled] = []
    if hires is None or hires.first_picture is None:
        request = first_request(first, batch=batch)
        sampled.append(_sample(first, request, progress, start=done, end=done + calls[0], skips=skips))
    if second is not None and hires is not None:
        small = sampled[0].latents if sampled else None
        decoding = sampled[0].checkpoint if sampled else first.checkpoint
        with first.tiles.on_decoder(decoding):
            large = enlarge(decoding, small, hires, second=second.checkpoint)
        request = hires_request(second, hires, large, batch=batch)
        last = _sample(second, request, progress, start=done + calls[0], end=done + sum(calls), skips=skips)
        encoded = encoder_extra(second.checkpoint) if encodes(hires) else {}
        sampled.append(replace(last, notes={**encoded, **last.notes}))
    return sampled


def _sample(one: Pass, request: SamplingRequest, progress: JobProgress, *, start: int, end: int, skips: int) -> Sampled:
    """One pass; it ends at its next step once more skips are asked for than `skips`."""
    plan, params = one.plan, one.plan.params
    timestep = SAMPLERS[request.choice.sampler].timestep
    notes = {**one.start_notes, **({} if one.hires is None else second_pass_extra(params))}
    notes |= sampling_extra(params, request.choice, from_image=request.start is not None)
    checkpoint = one.checkpoint

    def note(call: DenoiserCall) -> None:
        nonlocal checkpoint
        if call.refined and plan.refiner is not None:
            # WebUI decodes with the refiner's VAE once the refiner has taken over.
            checkpoint = plan.refiner
            notes.update(refiner_extra(checkpoint, params))
        if call.left_out == "late":
            notes.update(late_extra(params, request.guidance.s_min_uncond))
        if plan.preview is not None:
            latents = expected_latents(call, checkpoint, timestep_sampler=timestep)
            decoder = checkpoint.preview_decoder
            plan.preview(partial(preview_jpeg, latents, family=checkpoint.family, decoder=decoder))

    one.networks.use(one.prompts.networks)
    with one.tiles.on(checkpoint, one.hires), merged_tokens(one):
        counter = progress.counter(start=start, end=end)
        latents = sample(
            one.checkpoint, request, on_call=counter, recorder=note, is_skipped=lambda: progress.skips() > skips
        )
    padding = request.guidance.padding
    if padding is not None:
        notes[padding] = True
    progress.advance_to(end)
    return Sampled(latents, checkpoint, notes)
