"""Prepares a pass that is drawn from the init picture's own noise (the script `img2img alternative test`)."""

from dataclasses import replace

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise_recovery import RecoveredNoise, planned_recovery_calls, recover_noise
from inference_container.drawing.passes import Pass, conditioner_of
from inference_container.drawing.plan import DrawingPlan
from inference_container.drawing.token_merging import merged_tokens
from inference_container.progress import JobProgress


def recovery_calls(plan: DrawingPlan) -> int:
    """The number of model calls before the first batch."""
    script = plan.recovery
    return 0 if script is None else planned_recovery_calls(script.st, adjusted=script.sigma_adjustment)


def with_recovered_noise(one: Pass, script: Img2ImgAlternative, progress: JobProgress) -> Pass:
    """`one` with a start that has the noise found in it; the same for every batch, as WebUI's cache makes it.

    Raises:
        JobFailed: the model returned NaN, or the job was canceled.
    """
    plan, start = one.plan, one.plan.start
    if start is None:
        raise ValueError("received a drawing without an init picture to find noise in")
    latent = start.latent
    one.networks.use(one.prompts.networks)
    with progress.phase(JobPhase.ENCODING):
        guidance = _guidance(one, script, count=len(latent))
    with progress.phase(JobPhase.SAMPLING), one.tiles.on(one.checkpoint, one.hires), merged_tokens(one):
        noise = recover_noise(
            one.checkpoint,
            latent,
            guidance,
            steps=script.st,
            adjusted=script.sigma_adjustment,
            copies=plan.batch_size // len(latent),
            image_conditioning=plan.image_conditioning,
            on_call=progress.counter(start=0, end=recovery_calls(plan)),
        )
    found = replace(start, recovered=RecoveredNoise(noise, script.randomness))
    return replace(one, plan=replace(plan, start=found))


def _guidance(one: Pass, script: Img2ImgAlternative, *, count: int) -> Guidance:
    conditioner = conditioner_of(one.plan, None, one.checkpoint, one.networks)
    return replace(
        one.guidance,
        cond=conditioner.plain([script.original_prompt] * count),
        uncond=conditioner.plain([script.original_negative_prompt] * count),
        cfg_scale=script.cfg,
        image_cfg_scale=None,
        s_min_uncond=0.0,
        skip_early_cond=0.0,
    )
