"""The Extras tab: enlarges pictures by one upscaler or a blend of two, then restores the faces in them."""

from collections.abc import Mapping, Sequence

from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import JobPhase
from generate_on_cloud.contract.single_image_params import ExtrasParams
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.webui.infotext.record import InfoValue
from generate_on_cloud.webui.infotext.writer import write_parameters
from generate_on_cloud.webui.picture_texts import texts_in
from inference_container.drawing.face_restoration import FaceRestorer, request_face_restorer
from inference_container.drawing.upscalers import TiledUpscaler, request_upscaler
from inference_container.pictures.decoding import MAX_PIXELS, decode_picture
from inference_container.pictures.encoding import encode_picture
from inference_container.pictures.upscaling import Upscaler, pass_sizes, scaled_size, upscale_by
from inference_container.progress import JobProgress
from inference_container.task import EncodedImage, TaskInput

POSTPROCESSING_KEY = "postprocessing"
"""Key of the PNG's text chunk that records how it was enlarged; all other texts are the original picture's."""
MAX_ON_THE_WAY = 4 * MAX_PIXELS
"""Maximum pixels of a network's output before it is resized."""
KEPT_MODES = frozenset({"RGB", "RGBA"})


def enlarged_pictures(job: TaskInput, params: ExtrasParams, pictures: Mapping[str, str]) -> list[EncodedImage]:
    """Enlarge each of `pictures` (base64, by its field); filters keep transparency, networks and a crop drop it, as in
    WebUI.

    Raises:
        JobFailed: bad_image; invalid_params, if a target is too small or too large; asset_missing, asset_corrupt or
            asset_incompatible, if an upscaler is not available; or the job was canceled.
    """
    progress = JobProgress(report=job.report, clock=job.clock)
    names = _upscaler_names(params)
    restorers = _face_restorers(job, params, progress)
    upscalers = [request_upscaler(job, params, name, progress=progress, counted=True) for name in names]

    # 1. Look at every picture before the first is enlarged: a bad one fails the job at once, and the tiles are counted.
    with progress.phase(JobPhase.ENCODING):
        sizes = {field: decode_picture(text, field=field).size for field, text in pictures.items()}
    scales = {field: _scale(params, size) if names else 1.0 for field, size in sizes.items()}
    progress.expect(sum(_tiles(upscaler, sizes[field], scales[field]) for field in pictures for upscaler in upscalers))

    # 2. Enlarge one after the other; only their files stay in memory.
    said = write_parameters(_record(params, names))
    return [
        _enlarged_file(text, field, upscalers, scales[field], params, restorers=restorers, said=said, progress=progress)
        for field, text in pictures.items()
    ]


def _enlarged_file(
    text: str,
    field: str,
    upscalers: Sequence[Upscaler | None],
    scale: float,
    params: ExtrasParams,
    *,
    restorers: Sequence[tuple[FaceRestorer, float]],
    said: str,
    progress: JobProgress,
) -> EncodedImage:
    """One picture, with its own texts and `said`, which records how it was made."""
    with progress.phase(JobPhase.ENCODING):
        given = decode_picture(text, field=field)
        texts = texts_in(given)
        image = given if given.mode in KEPT_MODES else given.convert("RGB")
    with progress.phase(JobPhase.UPSCALING):
        enlarged = [_enlarged(image, upscaler, scale, params) for upscaler in upscalers if upscaler is not None]
        if len(enlarged) == 2:
            enlarged = [
                Image.blend(enlarged[0], enlarged[1].convert(enlarged[0].mode), params.extras_upscaler_2_visibility)
            ]
        result = enlarged[0] if enlarged else image
        for restorer, visibility in restorers:
            plain = result.convert("RGB")
            result = Image.blend(plain, restorer(plain), visibility)
    with progress.phase(JobPhase.SAVING):
        data = encode_picture(result, chunks={**texts, POSTPROCESSING_KEY: said})
    return EncodedImage(data, "png", result.width, result.height, None, said)


def _face_restorers(job: TaskInput, params: ExtrasParams, progress: JobProgress) -> list[tuple[FaceRestorer, float]]:
    """The restorers that are visible, and how much: GFPGAN first, as in WebUI."""
    visible = {Family.GFPGAN: params.gfpgan_visibility, Family.CODEFORMER: params.codeformer_visibility}
    return [
        (request_face_restorer(job, model, params.codeformer_weight, progress=progress), visibility)
        for model, visibility in visible.items()
        if visibility > 0
    ]


def _upscaler_names(params: ExtrasParams) -> list[str]:
    """No, one or two names; the second one only if the first is set and its visibility is above 0."""
    if params.upscaler_1 == "None":
        return []
    second = params.upscaler_2 != "None" and params.extras_upscaler_2_visibility > 0
    return [params.upscaler_1, params.upscaler_2] if second else [params.upscaler_1]


def _scale(params: ExtrasParams, size: tuple[int, int]) -> float:
    scale = params.upscaling_resize
    if params.resize_mode == 1:
        scale = max(params.upscaling_resize_w / size[0], params.upscaling_resize_h / size[1])
    width, height = scaled_size(size, scale)
    cropped = params.upscaling_resize_w * params.upscaling_resize_h if params.resize_mode == 1 else 0
    if min(width, height) < 1 or max(width * height, cropped) > MAX_PIXELS:
        raise JobFailed(
            JobErrorCode.INVALID_PARAMS,
            f"received a picture of {size[0]}x{size[1]} pixels to enlarge to {width}x{height}; "
            f"allowed: at least 8 pixels per side and up to {MAX_PIXELS} pixels in total",
        )
    return scale


def _tiles(upscaler: Upscaler | None, size: tuple[int, int], scale: float) -> int:
    if not isinstance(upscaler, TiledUpscaler):
        return 0
    fed = pass_sizes(size, scale, factor=upscaler.model.factor)
    for width, height in fed:
        if width * height * upscaler.model.factor**2 > MAX_ON_THE_WAY:
            raise JobFailed(
                JobErrorCode.INVALID_PARAMS,
                f"received a scale of {scale:.4g} for a picture of {size[0]}x{size[1]} pixels, which a network that "
                f"enlarges by {upscaler.model.factor} reaches via {width * upscaler.model.factor}x"
                f"{height * upscaler.model.factor} pixels; allowed: up to {MAX_ON_THE_WAY} pixels",
            )
    return sum(upscaler.tiling.count(one) for one in fed)


def _enlarged(image: Image.Image, upscaler: Upscaler, scale: float, params: ExtrasParams) -> Image.Image:
    enlarged = upscale_by(image, upscaler, scale)
    if params.resize_mode == 0 or not params.upscaling_crop:
        return enlarged
    width, height = params.upscaling_resize_w, params.upscaling_resize_h
    cropped = Image.new("RGB", (width, height))
    cropped.paste(enlarged, (width // 2 - enlarged.width // 2, height // 2 - enlarged.height // 2))
    return cropped


def _record(params: ExtrasParams, names: list[str]) -> dict[str, InfoValue]:
    faces: dict[str, InfoValue] = {}
    if params.gfpgan_visibility > 0:
        faces["GFPGAN visibility"] = round(params.gfpgan_visibility, 3)
    if params.codeformer_visibility > 0:
        faces["CodeFormer visibility"] = round(params.codeformer_visibility, 3)
        faces["CodeFormer weight"] = round(params.codeformer_weight, 3)
    if not names:
        return faces
    size = f"{params.upscaling_resize_w}x{params.upscaling_resize_h}"
    record: dict[str, InfoValue] = {"Postprocess upscale by": params.upscaling_resize}
    if params.resize_mode == 1:
        record = {"Postprocess upscale to": size}
        if params.upscaling_crop:
            record["Postprocess crop to"] = size
    record["Postprocess upscaler"] = names[0]
    if len(names) == 2:
        record["Postprocess upscaler 2"] = names[1]
    return record | faces
