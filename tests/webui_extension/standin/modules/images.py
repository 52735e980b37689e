"""Saves pictures by a pattern: number and seed."""

from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin


def save_image(
    image: Image.Image, path: str, basename: str, seed: Any = None, prompt: str | None = None, extension: str = "png",
    info: str | None = None,
) -> tuple[str, None]:  # fmt: skip
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{len(list(folder.iterdir())):05d}-{seed}.{extension}"
    texts = PngImagePlugin.PngInfo()
    if info:
        texts.add_text("parameters", info)
    image.save(file, pnginfo=texts)
    return str(file), None
