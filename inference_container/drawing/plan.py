"""What is to be drawn: all that the batches of a job have in common, decided before the first of them."""

from dataclasses import dataclass, field

from torch import Tensor

from generate_on_cloud.contract.params import ImageParams
from inference_container.diffusion.sampling import ImageStart
from inference_container.drawing.controlnet import Controls
from inference_container.drawing.hires import HiresPlan
from inference_container.drawing.prompts import Prompts
from inference_container.drawing.seeds import Seeds
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.task import OfferPreview


@dataclass(frozen=True)
class DrawingPlan:
    """Made by a task, read by the passes and batches; nothing is ever written into it."""

    params: ImageParams
    checkpoint: Checkpoint
    """Of the first pass."""
    prompts: Prompts
    """Of the first pass."""
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
    """Takes over the last pass of each batch from `refiner_switch_at` on."""
    hires: HiresPlan | None = None
    """A second pass after each batch's first."""
    hires_checkpoint: Checkpoint | None = None
    """Of the second pass; None: the same."""
    keep_latents: bool = False
    """Whether the finished latents of all batches are wanted, not only the pictures."""
    preview: OfferPreview | None = None
    """Given the expected picture at every model call; None: nobody asked."""
