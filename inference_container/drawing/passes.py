"""Prepares the one or two passes of every batch: networks applied, prompts encoded, refiner loaded."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.diffusion.denoising_model import Refiner
from inference_container.diffusion.guidance import Guidance
from inference_container.drawing.conditioner import Conditioner
from inference_container.drawing.hires import HiresPlan
from inference_container.drawing.hypertile import Hypertile
from inference_container.drawing.plan import DrawingPlan
from inference_container.drawing.prompts import Prompts
from inference_container.drawing.size_conditioning import size_conditions
from inference_container.models.checkpoint import Checkpoint
from inference_container.networks.switch import NetworkSwitch
from inference_container.progress import JobProgress

TI_HASHES = "TI hashes"


@dataclass(frozen=True)
class Pass:
    """One pass, the same for every batch."""

    plan: DrawingPlan
    hires: HiresPlan | None
    """The plan of a second pass; None for the first pass."""
    checkpoint: Checkpoint
    networks: NetworkSwitch
    """Applies the networks of `prompts` while the pass is sampled."""
    guidance: Guidance
    refiner: Refiner | None
    tiles: Hypertile
    """Shared by all passes of a job."""
    notes: Mapping[str, InfoValue]
    """Infotext entries from its preparation."""
    start_notes: Mapping[str, InfoValue]
    """Infotext entries that WebUI adds when the pass begins."""

    @property
    def prompts(self) -> Prompts:
        """The prompts of this pass."""
        return self.plan.prompts if self.hires is None else self.hires.prompts


def ready_passes(plan: DrawingPlan, stack: ExitStack, progress: JobProgress) -> tuple[Pass, Pass | None]:
    """Prepare the first pass and, with hires fix, the second; closing `stack` removes their networks.

    Raises:
        JobFailed: a prompt or network cannot be used, or the job was canceled.
    """
    hires = plan.hires
    tiles = Hypertile(plan.params, seed=plan.seeds.seeds[0])
    networks = _networks(plan, plan.checkpoint, stack)
    refined = plan.params.options.hires_fix_refiner_pass
    refiner = plan.refiner if hires is None or refined != "second pass" else None
    first = _ready(plan, None, plan.checkpoint, networks, progress, refiner=refiner, tiles=tiles)
    if hires is None:
        return first, None
    checkpoint = plan.hires_checkpoint or plan.checkpoint
    if checkpoint.unet is not plan.checkpoint.unet:
        networks = _networks(plan, checkpoint, stack)
    refiner = plan.refiner if refined != "first pass" else None
    return first, _ready(plan, hires, checkpoint, networks, progress, refiner=refiner, tiles=tiles)


def pass_notes(first: Pass, second: Pass | None) -> dict[str, InfoValue]:
    """What making both passes ready adds to infotext; the embeddings of the second one's prompts go first."""
    if second is None:
        return {**first.notes}
    hashes = [one.notes[TI_HASHES] for one in (second, first) if TI_HASHES in one.notes]
    joined = {TI_HASHES: ", ".join(map(str, hashes))} if hashes else {}
    return {**first.notes, **second.notes, **joined}


def _networks(plan: DrawingPlan, checkpoint: Checkpoint, stack: ExitStack) -> NetworkSwitch:
    return stack.enter_context(NetworkSwitch(checkpoint, files=plan.files, models=plan.models))


def _ready(
    plan: DrawingPlan,
    hires: HiresPlan | None,
    checkpoint: Checkpoint,
    networks: NetworkSwitch,
    progress: JobProgress,
    *,
    refiner: Checkpoint | None,
    tiles: Hypertile,
) -> Pass:
    prompts, options = plan.prompts if hires is None else hires.prompts, plan.params.options
    # WebUI's infotext has what encoding a second pass's prompts adds only if they are encoded along with the first's.
    along = hires is not None and options.hires_fix_use_firstpass_conds and checkpoint.unet is plan.checkpoint.unet
    if not along:
        _use(networks, prompts, progress)
    with progress.phase(JobPhase.ENCODING):
        conditioner = conditioner_of(plan, hires, checkpoint, networks)
        guidance = _guidance(plan, hires, checkpoint, conditioner)
    # Each pass is sampled with the networks of its own prompt, and by default encoded with them, too.
    _use(networks, prompts, progress)
    notes: dict[str, InfoValue] = networks.infotext_extra() if options.lora_add_hashes_to_infotext else {}
    start_notes: dict[str, InfoValue] = {}
    if hires is None or along:
        notes |= conditioner.infotext_extra(prompts)
    else:
        start_notes = conditioner.timeline_extra(prompts)
    taking_over = None
    if refiner is not None and refiner.unet is not checkpoint.unet:
        taking_over = _refiner(plan, hires, refiner, progress)
    return Pass(plan, hires, checkpoint, networks, guidance, taking_over, tiles, notes, start_notes)


def _use(networks: NetworkSwitch, prompts: Prompts, progress: JobProgress) -> None:
    if not networks.uses(prompts.networks):
        with progress.phase(JobPhase.LOADING_MODELS):
            networks.use(prompts.networks)


def _refiner(plan: DrawingPlan, hires: HiresPlan | None, refiner: Checkpoint, progress: JobProgress) -> Refiner:
    # A checkpoint that WebUI has just loaded has no networks applied, neither to its UNet nor to its text encoders.
    networks = NetworkSwitch(refiner, files=plan.files, models=plan.models)
    options = plan.params.options
    with progress.phase(JobPhase.ENCODING):
        guidance = _guidance(plan, hires, refiner, conditioner_of(plan, hires, refiner, networks))
    return Refiner(refiner, guidance, plan.params.refiner_switch_at, by_steps=options.refiner_switch_by_sample_steps)


def conditioner_of(
    plan: DrawingPlan, hires: HiresPlan | None, checkpoint: Checkpoint, networks: NetworkSwitch
) -> Conditioner:
    """Encodes prompts for a pass with the networks that are applied now.

    Raises:
        JobFailed: an embedding or the clip skip does not fit the checkpoint.
    """
    options = plan.params.options
    inversions = networks.inversions(name_bundles=options.lora_bundled_ti_to_infotext)
    if not options.textual_inversion_add_hashes_to_infotext:
        inversions = tuple(replace(one, shown=None) for one in inversions)
    return Conditioner(
        checkpoint=checkpoint,
        params=plan.params,
        inversions=inversions,
        hires_choice=None if hires is None else hires.choice,
        hires_steps=None if hires is None else hires.steps,
    )


def _guidance(plan: DrawingPlan, hires: HiresPlan | None, checkpoint: Checkpoint, conditioner: Conditioner) -> Guidance:
    params, options = plan.params, plan.params.options
    prompts = plan.prompts if hires is None else hires.prompts
    width, height = (params.width, params.height) if hires is None else (hires.width, hires.height)
    # In WebUI's order, which shows in the order of `TI hashes`.
    uncond = conditioner.negative([prompts.negative_prompt] * plan.batch_size)
    cond = conditioner.positive([prompts.prompt] * plan.batch_size)
    time_ids, uncond_time_ids = size_conditions(params, checkpoint, width=width, height=height)
    return Guidance(
        time_ids=time_ids,
        uncond_time_ids=uncond_time_ids,
        cond=cond,
        uncond=uncond,
        cfg_scale=params.cfg_scale,
        image_cfg_scale=plan.image_cfg_scale,
        s_min_uncond=options.s_min_uncond if params.s_min_uncond is None else params.s_min_uncond,
        s_min_uncond_all=options.s_min_uncond_all,
        skip_early_cond=options.skip_early_cond,
        empty_chunk=conditioner.empty_chunk() if options.pad_cond_uncond else None,
        pad_v0=options.pad_cond_uncond_v0,
    )
