"""What the programs in this folder have in common; they run in an environment with only the clients in it."""

import base64
import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"
HOST = urlsplit(URL).hostname or ""
PORT = urlsplit(URL).port or 7860
SIZE = 64
REQUEST: dict[str, Any] = {
    "prompt": "the red cat", "negative_prompt": "a dog", "steps": 2, "width": SIZE, "height": SIZE, "seed": 5,
    "cfg_scale": 7.0, "sampler_name": "Euler a", "scheduler": "Karras",
}  # fmt: skip
STRENGTH = 0.5


def picture() -> Image.Image:
    """The init picture: a gradient, so that it needs no random numbers."""
    pixels = bytes((3 * x + 5 * y + 70 * c) % 256 for y in range(SIZE) for x in range(SIZE) for c in range(3))
    return Image.frombytes("RGB", (SIZE, SIZE), pixels)


def mask() -> Image.Image:
    """The left half is white."""
    image = Image.new("L", (SIZE, SIZE), 0)
    image.paste(255, (0, 0, SIZE // 2, SIZE))
    return image


def png(image: Image.Image) -> str:
    """The picture's pixels as base64, without its texts."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def tell(pictures: Mapping[str, Sequence[Image.Image]], said: Mapping[str, Any]) -> None:
    """Print what came, for the test that started this program."""
    drawn = {name: [png(image) for image in images] for name, images in pictures.items()}
    print(json.dumps({"pictures": drawn, "said": said}, default=str))
