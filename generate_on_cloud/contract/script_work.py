"""What a selectable script draws: its drawings as separate params, for limits, quotas and progress."""

import math
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, TypeVar

from generate_on_cloud.contract.img2img_alternative import alternative_params, recovery_params
from generate_on_cloud.contract.limits import MAX_PIXELS
from generate_on_cloud.contract.picture_sizes import Size, picture_size
from generate_on_cloud.contract.prompt_lines import line_params
from generate_on_cloud.contract.prompt_matrix import matrix_params
from generate_on_cloud.contract.selectable_scripts import (
    Img2ImgAlternative,
    Loopback,
    OutpaintingMk2,
    PoorMansOutpainting,
    PromptMatrix,
    PromptsFromFile,
    SdUpscale,
    XyzPlot,
)
from generate_on_cloud.contract.tilings import GRID, frame, tiling
from generate_on_cloud.contract.xyz_plot import plot_cells

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")
UPSCALER_GRID = 8


@dataclass(frozen=True)
class Run:
    """A drawing that a script repeats."""

    params: "ImageParams"
    """Without the script."""
    times: int
    draws: bool = True
    """False: it is work that makes no pictures."""


def script_runs(script: object, params: "ImageParams", *, size: Size | None = None) -> tuple[Run, ...]:
    """The drawings of `script`, in order.

    `size` is the init picture's; if it is not known, it is read from the request, and if that has none (the picture is
    at a URL), the request's width and height stand in for it. The container checks again with the real one.

    Raises:
        ValueError: the script cannot draw this; the text says what was received and what is allowed.
    """
    return _runs(script, without_script(params), size or _own_size(params))


def without_script(params: Params) -> Params:
    """The params of the script's own drawings."""
    return params.model_copy(update={"script_name": None, "script_args": []})


def enlarged(size: Size, script: SdUpscale) -> Size:
    """The size to which `SD upscale` enlarges a picture before it draws.

    Raises:
        ValueError: too small or too large.
    """
    if script.upscaler == "None":
        return size
    width, height = (int(side * script.scale_factor // UPSCALER_GRID * UPSCALER_GRID) for side in size)
    if min(width, height) < 1 or width * height > MAX_PIXELS:
        raise ValueError(f"received a target of {width}x{height} pixels; allowed: 8x8 to {MAX_PIXELS} pixels")
    return width, height


def _own_size(params: "ImageParams") -> Size:
    pictures = getattr(params, "init_images", ())
    return (picture_size(pictures[0]) if pictures else None) or (params.width, params.height)


@singledispatch
def _runs(script: object, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    raise TypeError(f"received {script!r}, which is not a script")


@_runs.register(SdUpscale)
def _(script: SdUpscale, params: "ImageParams", size: Size) -> tuple[Run, ...]:
    places = tiling(enlarged(size, script), tile=(params.width, params.height), overlap=script.overlap).places
    tiles = len(places)
    batches = math.ceil(tiles / params.batch_size)
    return (Run(params.model_copy(update={"n_iter": 1}), batches * params.n_iter),)


@_runs.register(Loopback)
def _(script: Loopback, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    return (Run(one_picture(params), script.loops * params.n_iter),)


@_runs.register(PoorMansOutpainting)
def _(script: PoorMansOutpainting, params: "ImageParams", size: Size) -> tuple[Run, ...]:
    grown = frame(size, pixels=script.pixels, direction=script.direction)
    tiles = tiling((grown.width, grown.height), tile=(params.width, params.height), overlap=script.pixels)
    drawn = sum(grown.reaches(place, tiles.tile) for place in tiles.places)
    return (Run(one_picture(params), drawn),)


@_runs.register(OutpaintingMk2)
def _(script: OutpaintingMk2, params: "ImageParams", size: Size) -> tuple[Run, ...]:
    grown = frame(size, pixels=script.pixels, direction=script.direction)
    runs, (width, height) = [], size
    one = {"n_iter": 1}
    for side in (grown.left, grown.right):
        if side:
            width += side
            drawn = {"width": min(params.width, width), "height": round_up(height)}
            runs.append(Run(params.model_copy(update=one | drawn), params.n_iter))
    for side in (grown.up, grown.down):
        if side:
            height += side
            drawn = {"width": round_up(width), "height": min(params.height, height)}
            runs.append(Run(params.model_copy(update=one | drawn), params.n_iter))
    return tuple(runs)


@_runs.register(PromptMatrix)
def _(script: PromptMatrix, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    return tuple(Run(one, 1) for one in matrix_params(script, params))


@_runs.register(PromptsFromFile)
def _(script: PromptsFromFile, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    return tuple(Run(one, 1) for one in line_params(script, params))


@_runs.register(XyzPlot)
def _(script: XyzPlot, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    return tuple(Run(cell.params, 1) for cell in plot_cells(script, params))


@_runs.register(Img2ImgAlternative)
def _(script: Img2ImgAlternative, params: "ImageParams", size: Size) -> tuple[Run, ...]:  # noqa: ARG001
    return Run(alternative_params(script, params), 1), Run(recovery_params(script, params), 1, draws=False)


def round_up(side: int) -> int:
    """The next multiple of GRID."""
    return math.ceil(side / GRID) * GRID


def one_picture(params: Params) -> Params:
    """The same for a single picture."""
    return params.model_copy(update={"n_iter": 1, "batch_size": 1})
