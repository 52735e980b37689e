"""Maps for ControlNet: preprocessors without networks, and resizing to the size that is drawn."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
"""Shape (height, width, 3), in RGB order; for `inpaint` a fourth channel is 255 where the picture is drawn anew."""
Numbers = TypeVar("Numbers", bound=npt.NDArray[np.generic])
MapResizeMode = Literal["Just Resize", "Crop and Resize", "Resize and Fill"]

PAD = 64
"""Preprocessors get pictures padded to multiples of this size by repeating the edge."""
FEW_COLORS = 200
"""Maps with fewer colours, such as segmentations, are resized without blending."""


def make_map(
    picture: Bytes, module: str, *, resolution: int, threshold_a: float, threshold_b: float, seed: int = 0
) -> Bytes:
    """Run the preprocessor `module`; `resolution` is the shorter side of maps that have their own resolution.

    `seed` is for `shuffle`.

    Raises:
        KeyError: `module` is not in `MODULES`.
    """
    if module == SHUFFLE:
        return _shuffled(picture, resolution, seed)
    return MODULES[module](picture, resolution, threshold_a, threshold_b)


def _canny(picture: Bytes, resolution: int, low: float, high: float) -> Bytes:
    scaled = scaled_to(picture, resolution)
    return as_map(cv2.Canny(padded(scaled), int(low), int(high)), like=scaled)


def _xdog(picture: Bytes, resolution: int, level: float, _: float) -> Bytes:
    """White where the picture is darker than its surroundings in every channel."""
    scaled = scaled_to(picture, resolution)
    light = padded(scaled).astype(np.float32)
    fine, coarse = cv2.GaussianBlur(light, (0, 0), 0.5), cv2.GaussianBlur(light, (0, 0), 5.0)
    lightness = (255 - np.min(coarse - fine, axis=2)).clip(0, 255).astype(np.uint8)
    # In eight bits, as in the extension: from a difference of 128 on it begins again at 0.
    darker = np.left_shift(np.uint8(255) - lightness, 1)
    return as_map(np.where(darker > level, 255, 0).astype(np.uint8), like=scaled)


def _lineart(picture: Bytes, resolution: int, _: float, __: float) -> Bytes:
    """How much darker the picture is than its surroundings, with its usual line at half of white."""
    scaled = scaled_to(picture, resolution)
    light = padded(scaled).astype(np.float32)
    depth = np.min(cv2.GaussianBlur(light, (0, 0), 6.0) - light, axis=2).clip(0, 255)
    lines = depth[depth > 8]
    usual = max(16, np.median(lines)) if len(lines) else 16
    return as_map((depth / usual * 127).clip(0, 255).astype(np.uint8), like=scaled)


def padded(scaled: Bytes) -> Bytes:
    """A picture with sides that are multiples of PAD."""
    height, width, _ = scaled.shape
    return np.pad(scaled, ((0, -height % PAD), (0, -width % PAD), (0, 0)), mode="edge")


def as_map(padded: npt.NDArray[np.uint8], *, like: Bytes) -> Bytes:
    """A map of one channel or three as RGB, without what was padded."""
    height, width, _ = like.shape
    if padded.ndim == 3:
        return padded[:height, :width]
    return np.repeat(padded[:height, :width, None], 3, axis=2)


def _threshold(picture: Bytes, resolution: int, level: float, _: float) -> Bytes:
    lightest = scaled_to(picture, resolution).min(axis=2, keepdims=True) > level
    return np.repeat(np.where(lightest, 255, 0).astype(np.uint8), 3, axis=2)


def _blur(picture: Bytes, resolution: int, sigma: float, _: float) -> Bytes:
    return np.asarray(cv2.GaussianBlur(scaled_to(picture, resolution), (0, 0), sigma), dtype=np.uint8)


def _smaller(picture: Bytes, _: int, rate: float, __: float) -> Bytes:
    if rate < 1.1:
        return picture
    height, width, _channels = picture.shape
    size = max(1, int(width / rate)), max(1, int(height / rate))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _shuffled(picture: Bytes, resolution: int, seed: int) -> Bytes:
    """Colours and shapes of the picture without their places: each pixel is taken from somewhere near a smooth path."""
    scaled = scaled_to(picture, resolution)
    height, width, _ = scaled.shape
    draws = np.random.RandomState(seed & 0xFFFFFFFF)
    across, down = (_smooth_noise(height, width, draws) * float(side - 1) for side in (width, height))
    flow = np.stack([across, down], axis=2).astype(np.float32)
    return np.asarray(cv2.remap(scaled, flow, None, cv2.INTER_LINEAR), dtype=np.uint8)


def _smooth_noise(height: int, width: int, draws: np.random.RandomState) -> npt.NDArray[np.float64]:
    """Noise in 0..1 that changes within some COARSE pixels."""
    cells = draws.uniform(low=0, high=1, size=(height // COARSE + 2, width // COARSE + 2, 1))
    wide = cv2.resize(cells, (width + 2 * COARSE, height + 2 * COARSE), interpolation=cv2.INTER_CUBIC)
    noise = wide[COARSE : COARSE + height, COARSE : COARSE + width]
    noise = noise - noise.min()
    return np.asarray(noise / noise.max(), dtype=np.float64)


def _luminance(picture: Bytes, _: int, gamma: float, __: float) -> Bytes:
    return _brightened(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB)[:, :, 0], gamma)


def _intensity(picture: Bytes, _: int, gamma: float, __: float) -> Bytes:
    return _brightened(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[:, :, 2], gamma)


def _brightened(levels: npt.NDArray[np.generic], gamma: float) -> Bytes:
    raised = (levels.astype(np.float32) / 255.0) ** gamma
    return np.repeat((raised * 255.0).clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def recolored(picture: Bytes, module: str, *, fitted: Bytes) -> Bytes:
    """A drawn picture with the brightness of the `fitted` map of a preprocessor in RECOLORS."""
    into, back, channel = RECOLORS[module]
    parts = cv2.cvtColor(picture, into)
    # Through floats and back, as in the extension: some numbers become one less.
    parts[:, :, channel] = _through_floats(fitted[:, :, 0])
    return _through_floats(np.asarray(cv2.cvtColor(parts, back), dtype=np.uint8))


def _through_floats(pixels: Bytes) -> Bytes:
    return (pixels.astype(np.float32) / np.float32(255) * np.float32(255)).clip(0, 255).astype(np.uint8)


SHUFFLE = "shuffle"
COARSE = 256
INPAINT, INPAINT_ONLY, INPAINT_FILLED = "inpaint", "inpaint_only", "inpaint_only+lama"
RESTORING = (INPAINT_ONLY, INPAINT_FILLED)
"""Preprocessors that keep every pixel that is not drawn anew."""
COLOR_FIX, COLOR_FIX_SHARP = "tile_colorfix", "tile_colorfix+sharp"
RESTORED_EDGE = 7
"""Width of the seam around what `inpaint_only` draws anew, in pixels."""
RECOLORS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "recolor_luminance": (cv2.COLOR_RGB2LAB, cv2.COLOR_LAB2RGB, 0),
        "recolor_intensity": (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2),
    }
)
"""How pictures are turned into brightness and colour, how back, and which channel is the brightness."""
MODULES: Mapping[str, Callable[[Bytes, int, float, float], Bytes]] = MappingProxyType(
    {
        "none": lambda picture, *_: picture,
        "invert": lambda picture, *_: 255 - picture,
        "canny": _canny,
        "threshold": _threshold,
        "blur_gaussian": _blur,
        "tile_resample": _smaller,
        "scribble_xdog": _xdog,
        "lineart_standard": _lineart,
        "recolor_luminance": _luminance,
        "recolor_intensity": _intensity,
        COLOR_FIX: lambda picture, *_: picture,
        COLOR_FIX_SHARP: lambda picture, *_: picture,
        INPAINT: lambda picture, *_: picture,
        INPAINT_ONLY: lambda picture, *_: picture,
    }
)


def scaled_to(picture: Bytes, resolution: int) -> Bytes:
    """Scale the picture so that its shorter side is `resolution`."""
    height, width, _ = picture.shape
    scale = resolution / min(height, width)
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=way), dtype=np.uint8)


def pixel_perfect_resolution(size: tuple[int, int], *, mode: MapResizeMode, width: int, height: int) -> int:
    """The resolution at which the map of a picture of `size` (width, height) needs no further scaling."""
    across, down = width / size[0], height / size[1]
    scale = min(across, down) if mode == "Resize and Fill" else max(across, down)
    return max(1, round(scale * min(size)))


def fit_map(found: Bytes, *, mode: MapResizeMode, width: int, height: int) -> Bytes:
    """The map at exactly `width`×`height`: stretched, centre-cropped, or padded with its border's median colour."""
    if mode == "Just Resize":
        return _resized(found, width, height)
    own_height, own_width, _ = found.shape
    across, down = width / own_width, height / own_height
    scale = min(across, down) if mode == "Resize and Fill" else max(across, down)
    resized = _resized(found, max(1, round(own_width * scale)), max(1, round(own_height * scale)))
    if mode == "Crop and Resize":
        top, left = (resized.shape[0] - height) // 2, (resized.shape[1] - width) // 2
        return resized[top : top + height, left : left + width]
    border = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    color = np.median(border, axis=0).astype(np.uint8)
    color[3:] = 255  # what lies outside the picture is drawn anew
    canvas = np.tile(color, (height, width, 1))
    top, left = (height - resized.shape[0]) // 2, (width - resized.shape[1]) // 2
    canvas[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return canvas


def _resized(found: Bytes, width: int, height: int) -> Bytes:
    """Resize so that black-and-white maps stay black and white and lines stay one pixel wide."""
    if found.shape[2] > 3:
        return _with_mask(found, width, height)
    own_height, own_width, _ = found.shape
    if (own_width, own_height) == (width, height):
        return found
    colors = len(np.unique(found.reshape(-1, 3), axis=0))
    way = _way(colors, smaller=width * height < own_width * own_height)
    resized = np.asarray(cv2.resize(found, (width, height), interpolation=way), dtype=np.uint8)
    if colors != 2 or found.min() >= 16 or found.max() <= 240:
        return resized
    grey = resized.astype(np.float32).mean(axis=2).clip(0, 255).astype(np.uint8)
    if _has_thin_lines(found):
        grey = ridges(grey)
    _, binary = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.repeat(np.asarray(binary, dtype=np.uint8)[:, :, None], 3, axis=2)


def _way(colors: int, *, smaller: bool) -> int:
    """OpenCV's interpolation for a map of so many colours."""
    if 2 < colors < FEW_COLORS:
        return cv2.INTER_NEAREST
    return cv2.INTER_AREA if smaller else cv2.INTER_CUBIC


def _with_mask(found: Bytes, width: int, height: int) -> Bytes:
    """As `_resized`; the mask is resized in the picture's way, and then black and white."""
    picture, mask = np.ascontiguousarray(found[:, :, :3]), found[:, :, 3].astype(np.float32)
    own_height, own_width = mask.shape
    if (own_width, own_height) != (width, height):
        colors = len(np.unique(picture.reshape(-1, 3), axis=0))
        way = _way(colors, smaller=width * height < own_width * own_height)
        mask = np.asarray(cv2.resize(mask, (width, height), interpolation=way), dtype=np.float32)
    binary = np.where(mask > 127, 255, 0).astype(np.uint8)
    return np.concatenate([_resized(picture, width, height), binary[:, :, None]], axis=2)


def restored(picture: Bytes, *, fitted: Bytes) -> Bytes:
    """A drawn picture with the `fitted` map of `inpaint_only` wherever that is not drawn anew."""
    mask = fitted[:, :, 3].astype(np.float32) / 255
    square = np.ones((RESTORED_EDGE, RESTORED_EDGE), dtype=np.uint8)
    wider = cv2.blur(cv2.dilate(mask, square), (RESTORED_EDGE, RESTORED_EDGE))
    part = np.asarray(wider, dtype=np.float32)[:, :, None]
    drawn, kept = picture.astype(np.float32) / 255, fitted[:, :, :3].astype(np.float32) / 255
    return ((part * drawn + (1 - part) * kept).clip(0, 1) * 255).astype(np.uint8)


def shown_map(fitted: Bytes) -> Bytes:
    """A map as it is returned: what is drawn anew is half transparent."""
    if fitted.shape[2] == 3:
        return fitted
    return np.concatenate([fitted[:, :, :3], 255 - fitted[:, :, 3:] // 2], axis=2)


def _has_thin_lines(found: Bytes) -> bool:
    """Whether opening with 3×3 pixels removes more than half of the white pixels."""
    square = np.ones((3, 3), dtype=np.uint8)
    opened = cv2.dilate(cv2.erode(found, square), square)
    return int((opened < found).sum()) * 2 > int((found > 127).sum())


def ridges(grey: Numbers) -> Numbers:
    """Keep only pixels that are the lightest of three in some direction."""
    lines = [np.zeros((3, 3), dtype=np.uint8) for _ in range(4)]
    lines[0][1], lines[1][:, 1] = 1, 1
    np.fill_diagonal(lines[2], 1)
    lines[3][:] = lines[2][:, ::-1]
    kept = grey.copy()
    kept[:] = 0
    for line in lines:
        np.putmask(kept, np.asarray(cv2.dilate(grey, line)) == grey, grey)
    return kept
