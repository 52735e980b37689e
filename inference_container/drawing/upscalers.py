"""The upscaler that a request names: a built-in one, or a network from an uploaded file, applied in tiles."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.options import read_options
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.task_params import TaskParams
from generate_on_cloud.contract.upscalers import PIXEL_UPSCALERS
from inference_container.models.upscaler import UpscalerModel, load_upscaler
from inference_container.pictures.tiles import Tiling, map_tiles
from inference_container.pictures.upscaling import FILTERS, Upscaler
from inference_container.progress import JobProgress
from inference_container.task import TaskInput


@dataclass(frozen=True)
class TiledUpscaler:
    """A network as an `Upscaler` with a fixed factor."""

    model: UpscalerModel
    tiling: Tiling
    on_tile: Callable[[], None]
    """Called after every tile; an exception stops the work."""

    def __call__(self, image: Image.Image, scale: float) -> Image.Image:  # noqa: ARG002 - its factor is fixed
        return map_tiles(image.convert("RGB"), self.tiling, self._enlarged)

    def _enlarged(self, tile: Image.Image) -> Image.Image:
        enlarged = self.model.enlarge(tile)
        self.on_tile()
        return enlarged


def request_upscaler(
    job: TaskInput, params: TaskParams, name: str, *, progress: JobProgress, counted: bool = False
) -> Upscaler | None:
    """The upscaler called `name`; None for `None`. The job can be canceled at every tile.

    With `counted`, each tile is a step of the job's progress.

    Raises:
        JobFailed: asset_missing, asset_corrupt or asset_incompatible, if its file is not available or not usable.
    """
    if name in PIXEL_UPSCALERS:
        return FILTERS.get(name)
    file = job.files.named(AssetType.UPSCALER, name)
    with progress.phase(JobPhase.LOADING_MODELS):
        model = job.models.get(file, partial(load_upscaler, device=job.models.device), kind="upscaler")
    return TiledUpscaler(model, _tiling(params), progress.advance if counted else progress.check)


def _tiling(params: TaskParams) -> Tiling:
    """The tiling from the request's options, or WebUI's defaults for tasks without options."""
    options = params.options if isinstance(params, ImageParams) else read_options({})
    return Tiling(options.ESRGAN_tile, options.ESRGAN_tile_overlap)
