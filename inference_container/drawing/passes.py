"""The passes of a drawing made ready: networks in force, words encoded, the refiner at hand."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from torch import Tensor

from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.diffusion.denoising_model import Refiner
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.sampling import ImageStart
from inference_container.drawing.conditioner import Conditioner
from inference_container.drawing.controlnet import Controls
from inference_container.drawing.hires import HiresPass
from inference_container.drawing.prompts import Prompts
from inference_container.drawing.second_checkpoints import short_title
from inference_container.drawing.seeds import Seeds
from inference_container.drawing.size_conditioning import size_conditions
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.networks.switch import NetworkSwitch
from inference_container.progress import JobProgress
from inference_container.task import OfferPreview


@dataclass(frozen=True)
class Drawing:
    """What all batches of a job have in common."""

    params: ImageParams
    checkpoint: Checkpoint
    prompts: Prompts
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
    refiner: Checkpoint | None = None
    """Goes on with the last pass of each batch from `refiner_switch_at` on."""
    hires_checkpoint: Checkpoint | None = None
    """Of the second pass; None: the same."""
    hires: HiresPass | None = None
    """A second pass after each batch's first."""
    on_latents: Callable[[Tensor], None] | None = None
    """Given every batch's finished latents."""
    preview: OfferPreview | None = None
    """Given the expected picture at every model call; None: nobody asked."""
    notes: dict[str, InfoValue] = field(default_factory=dict)
    """What sampling adds to infotext, in WebUI's order; complete when the last picture is drawn."""


@dataclass(frozen=True)
class Pass:
    """One pass of every batch: its drawing has the checkpoint of that pass."""

    drawing: Drawing
    networks: NetworkSwitch
    guidance: Guidance
    refiner: Refiner | None
    taken_over: list[bool]
    """Not empty once the refiner has taken over."""

    @property
    def last_checkpoint(self) -> Checkpoint:
        """That the latents come from: WebUI decodes with the refiner's VAE after a refiner."""
        refiner = self.drawing.refiner
        return refiner if refiner is not None and self.taken_over else self.drawing.checkpoint


def first_pass(drawing: Drawing, stack: ExitStack, progress: JobProgress) -> Pass:
    networks = stack.enter_context(_networks(drawing, drawing.checkpoint))
    # Each pass is encoded and sampled under the networks of its own prompt.
    _use(drawing, networks, drawing.prompts, progress)
    with progress.phase(JobPhase.ENCODING):
        guidance = _guidance(drawing, networks)
    taken_over: list[bool] = []
    size = (drawing.params.width, drawing.params.height)
    refiner = _refiner(drawing, drawing.prompts, progress, taken_over=taken_over, size=size)
    return Pass(drawing, networks, guidance, refiner, taken_over)


def second_pass(
    drawing: Drawing, hires: HiresPass, shared: NetworkSwitch | None, stack: ExitStack, progress: JobProgress
) -> Pass:
    networks = shared or stack.enter_context(_networks(drawing, drawing.checkpoint))
    _use(drawing, networks, hires.prompts, progress)
    with progress.phase(JobPhase.ENCODING):
        guidance = _hires_guidance(drawing, networks, hires)
    taken_over: list[bool] = []
    size = (hires.width, hires.height)
    refiner = _refiner(drawing, hires.prompts, progress, taken_over=taken_over, size=size, hires=hires)
    return Pass(drawing, networks, guidance, refiner, taken_over)


def _networks(drawing: Drawing, checkpoint: Checkpoint) -> NetworkSwitch:
    return NetworkSwitch(checkpoint, files=drawing.files, models=drawing.models)


def _refiner(
    drawing: Drawing,
    prompts: Prompts,
    progress: JobProgress,
    *,
    taken_over: list[bool],
    size: tuple[int, int],
    hires: HiresPass | None = None,
) -> Refiner | None:
    refiner, params = drawing.refiner, drawing.params
    if refiner is None or refiner.unet is drawing.checkpoint.unet:
        return None
    # A checkpoint that WebUI loads has no network in force, neither in its UNet nor in its text encoders.
    inversions = _networks(drawing, refiner).inversions()
    with progress.phase(JobPhase.ENCODING):
        conditioner = Conditioner(
            checkpoint=refiner,
            params=params,
            inversions=inversions,
            hires_choice=None if hires is None else hires.choice,
            hires_steps=None if hires is None else hires.steps,
        )
        guidance = _guided_by(replace(drawing, checkpoint=refiner), conditioner, prompts, size=size)

    def take_over() -> None:
        taken_over.append(True)
        drawing.notes["Refiner"] = short_title(refiner)
        drawing.notes["Refiner switch at"] = params.refiner_switch_at

    return Refiner(refiner, guidance, params.refiner_switch_at, take_over)


def _use(drawing: Drawing, networks: NetworkSwitch, prompts: Prompts, progress: JobProgress) -> None:
    if not networks.uses(prompts.networks):
        with progress.phase(JobPhase.LOADING_MODELS):
            networks.use(prompts.networks)
    drawing.notes.update(networks.infotext_extra())


def _guidance(drawing: Drawing, networks: NetworkSwitch) -> Guidance:
    conditioner = Conditioner(checkpoint=drawing.checkpoint, params=drawing.params, inversions=networks.inversions())
    size = (drawing.params.width, drawing.params.height)
    guidance = _guided_by(drawing, conditioner, drawing.prompts, size=size)
    drawing.notes.update(conditioner.infotext_extra(drawing.prompts))
    return guidance


def _hires_guidance(drawing: Drawing, networks: NetworkSwitch, hires: HiresPass) -> Guidance:
    conditioner = Conditioner(
        checkpoint=drawing.checkpoint,
        params=drawing.params,
        inversions=networks.inversions(),
        hires_choice=hires.choice,
        hires_steps=hires.steps,
    )
    return _guided_by(drawing, conditioner, hires.prompts, size=(hires.width, hires.height))


def _guided_by(drawing: Drawing, conditioner: Conditioner, prompts: Prompts, *, size: tuple[int, int]) -> Guidance:
    params = drawing.params
    # In WebUI's order, which is seen in the order of `TI hashes`.
    uncond = conditioner.negative([prompts.negative_prompt] * drawing.batch_size)
    cond = conditioner.positive([prompts.prompt] * drawing.batch_size)
    time_ids, uncond_time_ids = size_conditions(params, drawing.checkpoint, width=size[0], height=size[1])
    return Guidance(
        time_ids=time_ids,
        uncond_time_ids=uncond_time_ids,
        cond=cond,
        uncond=uncond,
        cfg_scale=params.cfg_scale,
        image_cfg_scale=drawing.image_cfg_scale,
        s_min_uncond=float(params.options.s_min_uncond if params.s_min_uncond is None else params.s_min_uncond),
        s_min_uncond_all=params.options.s_min_uncond_all,
        skip_early_cond=params.options.skip_early_cond,
        empty_chunk=conditioner.empty_chunk() if params.options.pad_cond_uncond else None,
    )
