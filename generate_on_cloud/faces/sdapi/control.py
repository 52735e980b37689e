"""The ControlNet extension's routes, `/controlnet/*`: its lists, and maps that need no GPU."""

import base64
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageOps, UnidentifiedImageError

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.controlnet import MAX_UNITS
from generate_on_cloud.contract.preprocessors import PREPROCESSORS, RESOLUTION, Slider, preprocessor_named
from generate_on_cloud.faces.sdapi.canny import canny, padded
from generate_on_cloud.faces.sdapi.pictures import decoded
from generate_on_cloud.faces.sdapi.refusals import REQUEST_INVALID, RefusalError
from generate_on_cloud.faces.sdapi.shelf import Shelf, short_hash, stem

VERSION = 3
_LABELS: Mapping[str, tuple[str, ...]] = {
    "canny": ("Low Threshold", "High Threshold"),
    "threshold": ("Binarization Threshold",),
    "blur_gaussian": ("Sigma",),
    "tile_resample": ("Down Sampling Rate",),
    "scribble_xdog": ("XDoG Threshold",),
    "mlsd": ("MLSD Value Threshold", "MLSD Distance Threshold"),
    "normal_midas": ("Normal Background Threshold",),
}
_TYPES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Canny": (("canny",), ("canny",)),
    "Scribble": (("scribble_xdog", "scribble_hed", "scribble_pidinet"), ("scribble", "sketch")),
    "MLSD": (("mlsd",), ("mlsd",)),
    "OpenPose": (
        ("openpose_full", "dw_openpose_full", "openpose", "openpose_hand", "openpose_face", "openpose_faceonly"),
        ("openpose",),
    ),
    "Depth": (("depth_midas", "depth_anything", "depth_anything_v2"), ("depth",)),
    "NormalMap": (("normal_bae", "normal_midas"), ("normal",)),
    "SoftEdge": (
        ("softedge_pidinet", "softedge_pidisafe", "softedge_hed", "softedge_hedsafe"), ("softedge", "hed", "pidi")
    ),
    "Lineart": (("lineart_standard", "lineart_realistic", "lineart_coarse", "lineart_anime"), ("lineart",)),
    "Segmentation": (("seg_ufade20k",), ("seg",)),
    "Inpaint": (("inpaint_only", "inpaint_only+lama", "inpaint"), ("inpaint",)),
    "Tile": (("tile_resample",), ("tile", "blur")),
    "Recolor": (("none",), ("recolor",)),
}  # fmt: skip
"""Type → its modules, the usual one first, and words in the names of models of this type."""
_FINE = ("blur_gaussian", "tile_resample", "mlsd", "normal_midas")
"""Modules whose sliders move by hundredths."""
_WITH_RESOLUTION = ("canny", "threshold", "blur_gaussian", "scribble_xdog", "lineart_standard")
_WITHOUT_RESOLUTION = ("normal_bae", "inpaint_only+lama")
"""Of those with files."""
_ALL = "All"
_MAX_PIXELS = 2**26
_MAX_EDGES = 2**24
"""Pixels of a picture whose edges are found: about 25 images of 4 bytes a pixel at once."""
_PAD = 64
"""The cloud's own: edges are found in a picture that is padded to multiples of this size."""


def _version(_: Shelf) -> dict[str, Any]:
    return {"version": VERSION}


def _settings(_: Shelf) -> dict[str, Any]:
    return {"control_net_unit_count": MAX_UNITS}


def _model_list(shelf: Shelf) -> dict[str, Any]:
    return {"model_list": models(shelf)}


def _module_list(_: Shelf) -> dict[str, Any]:
    details = {name: {"model_free": False, "sliders": _sliders(name)} for name in PREPROCESSORS}
    return {"module_list": list(PREPROCESSORS), "module_detail": details}


def _control_types(shelf: Shelf) -> dict[str, Any]:
    types = {_ALL: _type("none", list(PREPROCESSORS), ["None", *models(shelf)], "None")}
    for name, (modules, words) in _TYPES.items():
        fitting = [model for model in models(shelf) if any(word in model.lower() for word in words)]
        offered = list(dict.fromkeys(["none", *modules]))
        types[name] = _type(modules[0], offered, ["None", *fitting], (fitting or ["None"])[0])
    return {"control_types": types}


def _type(module: str, modules: list[str], found: list[str], model: str) -> dict[str, Any]:
    return {"module_list": modules, "model_list": found, "default_option": module, "default_model": model}


CONTROL_LISTS: Mapping[str, Callable[[Shelf], dict[str, Any]]] = MappingProxyType(
    {
        "/controlnet/version": _version,
        "/controlnet/settings": _settings,
        "/controlnet/model_list": _model_list,
        "/controlnet/module_list": _module_list,
        "/controlnet/control_types": _control_types,
    }
)
"""`GET` routes."""


def models(shelf: Shelf) -> list[str]:
    """Titles of the uploaded ControlNets, `name [12345678]`."""
    return [f"{stem(one)} [{(short_hash(one) or '0' * 8)[:8]}]" for one in shelf.of_type(AssetType.CONTROLNET)]


def _sliders(module: str) -> list[dict[str, Any]]:
    resolution = _slider("Resolution", RESOLUTION, 8)
    own = zip(_LABELS.get(module, ()), (PREPROCESSORS[module].threshold_a, PREPROCESSORS[module].threshold_b),
              strict=False)  # fmt: skip
    sliders = [_slider(label, slider, 0.01 if module in _FINE else 1)
               for label, slider in own]  # fmt: skip
    has_resolution = module in _WITH_RESOLUTION or (PREPROCESSORS[module].files and module not in _WITHOUT_RESOLUTION)
    return [resolution, *sliders] if has_resolution else sliders


def _slider(label: str, slider: Slider, step: float) -> dict[str, Any]:
    return {"name": label, "value": slider.default, "min": slider.minimum, "max": slider.maximum, "step": step}


def detect(body: Mapping[str, Any]) -> dict[str, Any]:
    """`POST /controlnet/detect`: the map of each picture.

    Raises:
        RefusalError: a module that is unknown, or a picture that cannot be read.
    """
    asked = str(body.get("controlnet_module") or "none")
    module = preprocessor_named(asked)
    if module is None or module not in _MAPS:
        allowed = ", ".join(_MAPS)
        files = " and ".join(PREPROCESSORS[module].files) if module else ""
        by = f" on the cloud by {files}" if files else ""
        elsewhere = f" (a unit makes this one{by} along with its picture)" if module else ""
        raise RefusalError(
            REQUEST_INVALID, f"controlnet_module: received {asked[:60]!r}; allowed: {allowed}{elsewhere}"
        )
    pictures = body.get("controlnet_input_images") or body.get("controlnet_images")  # the latter: webuiapi
    if not isinstance(pictures, list) or not pictures:
        raise RefusalError(REQUEST_INVALID, "No image selected: allowed in controlnet_input_images: base64 pictures")
    rule = PREPROCESSORS[module]
    size = _value(body, "controlnet_processor_res", RESOLUTION)
    levels = (_value(body, "controlnet_threshold_a", rule.threshold_a),
              _value(body, "controlnet_threshold_b", rule.threshold_b))  # fmt: skip
    maps = [_MAPS[module](_opened(one), int(size), *levels) for one in pictures]
    return {"images": [_png(one) for one in maps], "info": "Success"}


def _value(body: Mapping[str, Any], name: str, slider: Slider) -> float:
    """As the extension does: what is out of range or no number means the default."""
    value = body.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and slider.minimum <= value <= slider.maximum else slider.default  # type: ignore[operator,arg-type]


def _opened(text: object) -> Image.Image:
    try:
        with Image.open(io.BytesIO(decoded(str(text)) or b"")) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise RefusalError(REQUEST_INVALID, f"received {image.width}x{image.height} pixels; allowed: 2^26")
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise RefusalError(REQUEST_INVALID, f"Invalid encoded image: {error}") from error


def _scaled(image: Image.Image, shorter: int, *, most: int = _MAX_PIXELS) -> Image.Image:
    scale = shorter / min(image.size)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if width * height > most:
        raise RefusalError(REQUEST_INVALID, f"received a picture of {width}x{height} at this resolution; "
                           f"allowed: {most} pixels")  # fmt: skip
    return image.resize((width, height), Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)


def _edges(image: Image.Image, shorter: int, low: float, high: float) -> Image.Image:
    scaled = _scaled(image, shorter, most=_MAX_EDGES)
    width, height = scaled.size
    found = canny(padded(scaled, 0, 0, -width % _PAD, -height % _PAD), int(low), int(high))
    return found.crop((0, 0, width, height)).convert("RGB")


def _threshold(image: Image.Image, shorter: int, level: float, _: float) -> Image.Image:
    red, green, blue = _scaled(image, shorter).split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return darkest.point([255 * (value > level) for value in range(256)]).convert("RGB")


def _blurred(image: Image.Image, shorter: int, sigma: float, _: float) -> Image.Image:
    return _scaled(image, shorter).filter(ImageFilter.GaussianBlur(sigma))


def _smaller(image: Image.Image, _: int, rate: float, __: float) -> Image.Image:
    size = max(1, int(image.width / rate)), max(1, int(image.height / rate))
    return image if rate < 1.1 else image.resize(size, Image.Resampling.BOX)


_MAPS: Mapping[str, Callable[[Image.Image, int, float, float], Image.Image]] = MappingProxyType(
    {
        "none": lambda image, *_: image,
        "invert": lambda image, *_: ImageOps.invert(image),
        "canny": _edges,
        "threshold": _threshold,
        "blur_gaussian": _blurred,
        "tile_resample": _smaller,
    }
)


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
