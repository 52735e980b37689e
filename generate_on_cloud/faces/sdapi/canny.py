"""Edges by Canny's method, pixel for pixel those of OpenCV (3×3 Sobel, L1 norm), with Pillow alone."""

from collections.abc import Callable
from functools import reduce
from typing import Any

from PIL import Image, ImageMath, ImageOps

_TANGENT_BITS = 15
_TANGENT_22 = 13573
"""tan(22.5°) × 2¹⁵."""
_WEAK, _STRONG = 1, 2
_WHITE = 255

Slopes = tuple[Image.Image, Image.Image, Image.Image]
"""To the right, downwards, and the sum of their sizes; all of mode `I`."""
Named = dict[str, Any]


def canny(picture: Image.Image, low: int, high: int) -> Image.Image:
    """White edges on black, of mode `L` and the size of `picture` (RGB).

    Edges are ridges of the slope that are steeper than `high` somewhere and steeper than `low` all along.
    """
    low, high = sorted((low, high))
    across, down, slope = reduce(_steeper, [_slopes(channel) for channel in padded(picture, 1, 1, 1, 1).split()])
    around = _nine(ImageOps.expand(slope, 1, fill=0))
    ridges = _computed(_ridges, across=across, down=down, **around)
    steps = _computed(lambda of: of["ridge"] * ((of["slope"] > low) + (of["slope"] > high)), ridge=ridges, slope=slope)
    return _connected(steps.convert("L"))


def padded(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """The image with this many pixels more at each side, which repeat its border."""
    width, height = image.size
    wide = Image.new(image.mode, (left + width + right, height))
    wide.paste(image.crop((0, 0, 1, height)).resize((left + 1, height), Image.Resampling.NEAREST), (0, 0))
    wide.paste(image.crop((width - 1, 0, width, height)).resize((right + 1, height), Image.Resampling.NEAREST),
               (left + width - 1, 0))  # fmt: skip
    wide.paste(image, (left, 0))
    whole = Image.new(image.mode, (wide.width, top + height + bottom))
    whole.paste(wide.crop((0, 0, wide.width, 1)).resize((wide.width, top + 1), Image.Resampling.NEAREST), (0, 0))
    whole.paste(wide.crop((0, height - 1, wide.width, height)).resize((wide.width, bottom + 1),
                Image.Resampling.NEAREST), (0, top + height - 1))  # fmt: skip
    whole.paste(wide, (0, top))
    return whole


def _computed(formula: Callable[[Named], Any], **images: Image.Image) -> Image.Image:
    """The formula's value at every pixel, in 32-bit integers; a comparison is 1 or 0."""
    found = ImageMath.lambda_eval(formula, **images)
    assert isinstance(found, Image.Image)  # noqa: S101 - for the type checker: every formula has an image in it
    return found


def _nine(image: Image.Image) -> dict[str, Image.Image]:
    """Every pixel's neighbours and itself, `p00` (left above) to `p22`, for an image with a border of one pixel."""
    width, height = image.width - 2, image.height - 2
    return {f"p{x}{y}": image.crop((x, y, x + width, y + height)) for x in range(3) for y in range(3)}


def _slopes(channel: Image.Image) -> Slopes:
    around = _nine(channel)
    across = _computed(
        lambda of: of["p20"] + of["p21"] * 2 + of["p22"] - of["p00"] - of["p01"] * 2 - of["p02"], **around
    )
    down = _computed(lambda of: of["p02"] + of["p12"] * 2 + of["p22"] - of["p00"] - of["p10"] * 2 - of["p20"], **around)
    return across, down, _computed(lambda of: abs(of["a"]) + abs(of["d"]), a=across, d=down)


def _steeper(one: Slopes, other: Slopes) -> Slopes:
    """At each pixel the slopes of the steeper channel, the first if they are equal."""
    other_wins = _computed(lambda of: of["other"] > of["one"], one=one[2], other=other[2])
    across, down, slope = (
        _computed(lambda of: of["a"] + (of["b"] - of["a"]) * of["wins"], a=a, b=b, wins=other_wins)
        for a, b in zip(one, other, strict=True)
    )
    return across, down, slope


def _ridges(of: Named) -> Any:
    """1 where the slope is greater than at both neighbours in its direction, of four directions."""
    here, across, down = of["p11"], of["across"], of["down"]
    run, rise = abs(across), abs(down) * 2**_TANGENT_BITS
    flat = rise < run * _TANGENT_22
    steep = rise > run * (_TANGENT_22 + 2 ** (_TANGENT_BITS + 1))
    falling = across * down < 0
    sideways = (here > of["p01"]) * (here >= of["p21"])
    upwards = (here > of["p10"]) * (here >= of["p12"])
    to_right_below = (here > of["p00"]) * (here > of["p22"])
    to_left_below = (here > of["p20"]) * (here > of["p02"])
    slanted = falling * to_left_below + (1 - falling) * to_right_below
    return flat * sideways + steep * upwards + (1 - flat) * (1 - steep) * slanted


def _connected(steps: Image.Image) -> Image.Image:
    """White where a pixel is strong, or weak and connected to a strong one."""
    framed = ImageOps.expand(steps, 1, fill=0)
    stride, pixels = framed.width, bytearray(framed.tobytes())
    neighbours = (-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1)
    left = [place for place, value in enumerate(pixels) if value == _STRONG]
    while left:
        place = left.pop()
        pixels[place] = _WHITE
        for step in neighbours:
            if pixels[place + step] == _WEAK:
                pixels[place + step] = _STRONG
                left.append(place + step)
    found = Image.frombytes("L", framed.size, bytes(pixels)).crop((1, 1, stride - 1, framed.height - 1))
    return found.point([_WHITE if value == _WHITE else 0 for value in range(256)])
