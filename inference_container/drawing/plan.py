"""The plan of a drawing: everything that the batches of a job share, decided before the first batch."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.selectable_scripts import Img2ImgAlternative
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
    """Built by a task and read by passes and batches; it never changes."""

    params: ImageParams
    checkpoint: Checkpoint
    """Of the first pass."""
    prompts: Prompts
    """Of the first pass."""
    seeds: Seeds
    files: JobFiles
    """Files of the job, including the networks that the prompts name."""
    models: ModelCache
    batch_size: int
    """Pictures per batch; img2img may have fewer init pictures than `params.batch_size`."""
    start: ImageStart | None = None
    """The start of every batch; None: only noise."""
    image_conditioning: Tensor | None = None
    """Channels appended to the latents, for inpainting and InstructPix2Pix checkpoints."""
    image_cfg_scale: float | None = None
    """For InstructPix2Pix checkpoints only."""
    controls: Controls = field(default_factory=Controls)
    """ControlNets."""
    refiner: Checkpoint | None = None
    """Takes over each batch from `refiner_switch_at` on; with hires fix in the passes of `hires_fix_refiner_pass`."""
    hires: HiresPlan | None = None
    """The second pass of each batch, if any."""
    hires_checkpoint: Checkpoint | None = None
    """Checkpoint of the second pass; None: the same as in the first."""
    recovery: Img2ImgAlternative | None = None
    """Draw from noise that is found in the start, not from the seeds'."""
    keep_latents: bool = False
    """Whether the finished latents of all batches are kept along with the pictures."""
    restore_faces: Callable[[Image.Image], Image.Image] | None = None
    """Restores the faces of a decoded picture; None: they stay as they are."""
    preview: OfferPreview | None = None
    """Receives the expected picture at every model call; None if the job requested no previews."""
