"""The ControlNet units of a request: their maps, their networks and their infotext entries (§8.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.controlnet import CONTROL_MODES, CONTROLNET, RESIZE_MODES, ControlNetUnit
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.params import ImageParams, Img2ImgParams
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.webui.infotext.record import InfoValue
from inference_container.diffusion.control import Control
from inference_container.diffusion.steering import ColorFix, Restore, Steering
from inference_container.drawing.init_picture import user_mask
from inference_container.drawing.latents import encode_fully, latent_size
from inference_container.drawing.network_maps import NetworkMap, request_network_map
from inference_container.drawing.seeds import Seeds
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.controlnet import ControlNetwork, controlnet_kind, hint_tensor, load_controlnet
from inference_container.pictures.control_maps import (
    COLOR_FIX,
    COLOR_FIX_SHARP,
    INPAINT,
    INPAINT_FILLED,
    INPAINT_ONLY,
    RECOLORS,
    RESTORING,
    Bytes,
    MapResizeMode,
    fit_map,
    make_map,
    pixel_perfect_resolution,
    recolored,
    restored,
    shown_map,
)
from inference_container.pictures.crop_region import Box
from inference_container.pictures.decoding import decode_picture
from inference_container.pictures.flattening import flatten
from inference_container.pictures.masks import fit_mask
from inference_container.pictures.pixels import to_model_range
from inference_container.pictures.resizing import ResizeMode, resize
from inference_container.progress import JobProgress
from inference_container.task import TaskInput

SOFTENED = ("canny", "mlsd")
"""Preprocessors whose maps steer the second pass of hires fix less and less from layer to layer."""
Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class Controls:
    """All units of a request, prepared for its passes."""

    first: tuple[Control, ...] = ()
    hires: tuple[Control, ...] = ()
    maps: tuple[Image.Image, ...] = ()
    """Maps that are returned along with the drawn pictures."""
    notes: dict[str, InfoValue] = field(default_factory=dict)
    """Infotext entries."""
    finishes: tuple[Callable[[Image.Image], Image.Image], ...] = ()
    """What happens to each decoded picture, in this order."""
    origin: Tensor | None = None
    """The latents (1, 4, h, w) under all noise of the first pass, from `inpaint_only+lama`."""

    def finished(self, image: Image.Image) -> Image.Image:
        """A decoded picture as the units want it."""
        for finish in self.finishes:
            image = finish(image)
        return image


@dataclass(frozen=True)
class Cut:
    """The crop of the init picture that "only masked" draws."""

    region: Box
    size: Size
    """Size of the whole picture that contains the region."""


def prepare_controls(
    job: TaskInput,
    params: ImageParams,
    checkpoint: Checkpoint,
    *,
    seeds: Seeds,
    progress: JobProgress,
    hires_size: Size | None = None,
    cut: Cut | None = None,
) -> Controls:
    """Make the maps and load the networks; a unit without a picture uses the first init picture.

    Raises:
        JobFailed: bad_image; invalid_params, if the number of layer weights differs from that of the layers;
            asset_missing, asset_corrupt or asset_incompatible, if a model is not available or not for this checkpoint.
    """
    units = params.controlnet_units()
    if not units:
        return Controls()
    columns, rows = latent_size(params.width, params.height)
    size = columns * 8, rows * 8
    first: list[Control] = []
    hires: list[Control] = []
    origin: Tensor | None = None
    maps: list[Image.Image] = []
    finishes: list[Callable[[Image.Image], Image.Image]] = []
    for number, unit in enumerate(units):
        with progress.phase(JobPhase.LOADING_MODELS):
            network = _network(job, unit, checkpoint)
            _check_layers(number, unit, network)
            instead = _mask_instead(number, unit)
            by_network = None if instead is not None else request_network_map(job, unit.module)
        with progress.phase(JobPhase.ENCODING):
            seed = _seed(params, seeds)
            found, mode, module = _map_of(
                number, unit, params, size=size, largest=hires_size or size, cut=cut, seed=seed,
                instead=instead, by_network=by_network,
            )  # fmt: skip
            made = [fit_map(found, mode=mode, width=one[0], height=one[1]) for one in (hires_size, size) if one]
        if unit.hr_option != "High res only" or hires_size is None:
            with progress.phase(JobPhase.ENCODING):
                steering = _steering(unit, module, checkpoint, made[-1], hires=False)
            first.append(_control(unit, network, checkpoint, made[-1], steering=steering))
        if module == INPAINT_FILLED:
            with progress.phase(JobPhase.ENCODING):
                origin = _encoded(checkpoint, made[-1])
        if hires_size is not None and unit.hr_option != "Low res only":
            with progress.phase(JobPhase.ENCODING):
                steering = _steering(unit, module, checkpoint, made[0], hires=True)
            soft = module in SOFTENED
            hires.append(_control(unit, network, checkpoint, made[0], softened=soft, steering=steering))
        if unit.save_detected_map:
            maps += [Image.fromarray(shown_map(one)) for one in made]
        if module in RECOLORS:
            finishes.append(partial(_finished, finish=partial(recolored, module=module), fitted=made[0]))
        if module in RESTORING:
            finishes.append(partial(_finished, finish=restored, fitted=made[0]))
    notes: dict[str, InfoValue] = {f"{CONTROLNET} {number}": unit.infotext() for number, unit in enumerate(units)}
    return Controls(tuple(first), tuple(hires), tuple(maps), notes, tuple(finishes), origin)


def _seed(params: ImageParams, seeds: Seeds) -> int:
    """The extension's seed for `shuffle`; a random subseed counts as the seed."""
    first = seeds.seeds[0]
    return first + (first if params.subseed == -1 else max(params.subseed, 0))


def _finished(image: Image.Image, *, finish: Callable[..., Bytes], fitted: Bytes) -> Image.Image:
    """A picture of another size than the map stays as it is."""
    pixels = np.asarray(image)
    return image if pixels.shape[:2] != fitted.shape[:2] else Image.fromarray(finish(pixels, fitted=fitted))


def _steering(
    unit: ControlNetUnit, module: str, checkpoint: Checkpoint, fitted: Bytes, *, hires: bool
) -> Steering | None:
    """What the unit does to the noise that the UNet predicts.

    Raises:
        JobFailed: asset_incompatible, if the checkpoint predicts something else.
    """
    if module not in (COLOR_FIX, COLOR_FIX_SHARP, *RESTORING):
        return None
    if checkpoint.prediction_type != "epsilon":
        message = f"{CONTROLNET}: {module} needs a checkpoint that predicts noise; {checkpoint.file.name} does not"
        raise JobFailed(JobErrorCode.ASSET_INCOMPATIBLE, message)
    origin = _encoded(checkpoint, fitted)
    if module in RESTORING:
        anew = torch.from_numpy((fitted[:, :, 3] > 127).astype(np.float32))[None, None]
        return Restore(origin, anew.to(checkpoint.device), unit.weight)
    radius, sharpness = unit.thresholds
    radius = int(radius) * (2 if hires else 1)
    return ColorFix(origin, radius, unit.weight, sharpness if module == COLOR_FIX_SHARP else None)


def _encoded(checkpoint: Checkpoint, fitted: Bytes) -> Tensor:
    pixels = to_model_range(Image.fromarray(np.ascontiguousarray(fitted[:, :, :3])))
    return encode_fully(checkpoint, pixels)


def _network(job: TaskInput, unit: ControlNetUnit, checkpoint: Checkpoint) -> ControlNetwork:
    file = job.files.named(AssetType.CONTROLNET, str(unit.model_name))
    kind = controlnet_kind(file, checkpoint)
    return job.models.get(file, partial(load_controlnet, checkpoint=checkpoint), kind=kind)


def _check_layers(number: int, unit: ControlNetUnit, network: ControlNetwork) -> None:
    layers = len(network.network.controlnet_down_blocks) + 1
    if unit.advanced_weighting is not None and len(unit.advanced_weighting) != layers:
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            f"{CONTROLNET} {number}: received {len(unit.advanced_weighting)} numbers of advanced_weighting; "
            f"allowed: {layers}, one for each layer of {unit.model_name}",
        )


def _control(
    unit: ControlNetUnit,
    network: ControlNetwork,
    checkpoint: Checkpoint,
    pixels: Bytes,
    *,
    softened: bool = False,
    steering: Steering | None = None,
) -> Control:
    balanced, _, over_prompt = CONTROL_MODES
    return Control(
        network=network.network,
        hint=hint_tensor(pixels, device=checkpoint.device, dtype=checkpoint.dtype),
        weight=unit.weight,
        start=unit.guidance_start,
        end=unit.guidance_end,
        softened=softened or unit.control_mode != balanced,
        prompt_only=unit.control_mode == over_prompt,
        pools=network.pools,
        steering=steering,
        layer_weights=None if unit.advanced_weighting is None else tuple(unit.advanced_weighting),
    )


def _map_of(
    number: int,
    unit: ControlNetUnit,
    params: ImageParams,
    *,
    size: Size,
    largest: Size,
    cut: Cut | None,
    seed: int,
    instead: Image.Image | None,
    by_network: NetworkMap | None,
) -> tuple[Bytes, MapResizeMode, str]:
    """The map, its resize mode, and the preprocessor that made it; `largest` is the size of the last pass."""
    mode, module = unit.resize_mode, unit.module
    if module == INPAINT_ONLY and isinstance(params, Img2ImgParams) and params.mask is not None:
        module = INPAINT  # img2img already restores what is not masked
    if unit.image is not None:
        picture = _opened(unit.image, f"{CONTROLNET} {number}: image")
    elif isinstance(params, Img2ImgParams):
        picture = _opened(params.init_images[0], "init_images[0]")
        mode = _mode_of(params)
    else:
        raise JobFailed(JobErrorCode.INVALID_PARAMS, f"{CONTROLNET} {number}: received no image; allowed: a picture")
    anew = _drawn_anew(number, unit, params, size=picture.size) if PREPROCESSORS[module].hole else None
    if instead is not None:
        picture, module = instead, "none"
    if cut is not None and unit.inpaint_crop_input_image:
        picture = _cut_out(picture, cut, params, mode=mode)
        anew = anew and _cut_out(anew, cut, params, mode=mode)
    resolution = unit.resolution
    if unit.pixel_perfect:
        resolution = pixel_perfect_resolution(picture.size, mode=mode, width=size[0], height=size[1])
    a, b = unit.thresholds
    pixels = np.asarray(picture, dtype=np.uint8)
    if anew is not None:
        pixels = _with_hole(pixels, anew, module=module, mode=mode, largest=largest)
    if by_network is not None:
        return by_network(pixels, resolution=resolution, threshold_a=a, threshold_b=b), mode, module
    return make_map(pixels, module, resolution=resolution, threshold_a=a, threshold_b=b, seed=seed), mode, module


def _mask_instead(number: int, unit: ControlNetUnit) -> Image.Image | None:
    """The unit's mask, RGB, if it takes the picture's place, which then no preprocessor sees."""
    if unit.mask is None or PREPROCESSORS[unit.module].hole:
        return None
    mask = _opened(unit.mask, f"{CONTROLNET} {number}: mask").getchannel(0)
    return None if mask.getextrema() in ((0, 0), (255, 255)) else Image.merge("RGB", [mask] * 3)


def _with_hole(pixels: Bytes, anew: Image.Image, *, module: str, mode: MapResizeMode, largest: Size) -> Bytes:
    """The picture with where it is drawn anew as its fourth channel."""
    made = np.concatenate([pixels, np.asarray(anew, dtype=np.uint8)[:, :, None]], axis=2)
    if module == INPAINT_FILLED and mode == "Resize and Fill":
        return fit_map(made, mode=mode, width=largest[0], height=largest[1])  # the margin is a hole, too
    return made


def _cut_out(picture: Image.Image, cut: Cut, params: ImageParams, *, mode: MapResizeMode) -> Image.Image:
    whole = resize(picture, mode=_number(mode), width=cut.size[0], height=cut.size[1])
    return resize(whole.crop(cut.region), mode=2, width=params.width, height=params.height)


def _drawn_anew(number: int, unit: ControlNetUnit, params: ImageParams, *, size: Size) -> Image.Image:
    """Where `inpaint` draws anew: the unit's mask, or for the init picture the request's; L, of that size."""
    if unit.image is None and isinstance(params, Img2ImgParams) and params.mask is not None:
        return user_mask(params, params.mask, size=size)
    if unit.image is not None and unit.mask is not None:
        return fit_mask(_opened(unit.mask, f"{CONTROLNET} {number}: mask").getchannel(0), size)
    return Image.new("L", size)


def _opened(text: str, field: str) -> Image.Image:
    return flatten(decode_picture(text, field=field))


def _mode_of(params: Img2ImgParams) -> MapResizeMode:
    """The resize mode of img2img; latent upscale stretches."""
    return cast(MapResizeMode, RESIZE_MODES[params.resize_mode % len(RESIZE_MODES)])


def _number(mode: MapResizeMode) -> ResizeMode:
    return cast(ResizeMode, RESIZE_MODES.index(mode))


def cut_of(region: Box | None, whole: Image.Image | None) -> Cut | None:
    """The crop of an init picture; None if all of it is drawn."""
    return None if region is None or whole is None else Cut(region, whole.size)


def beside_last(beside: Sequence[Sequence[Image.Image]], maps: Sequence[Image.Image]) -> list[list[Image.Image]]:
    """The pictures that follow each drawn picture, with the maps after the last one."""
    followers = [list(one) for one in beside]
    return [*followers[:-1], [*followers[-1], *maps]] if followers else []
