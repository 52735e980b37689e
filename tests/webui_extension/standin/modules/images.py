"""Saves pictures by a pattern: number and seed."""

from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin


def save_image(
    image: Image.Image, path: str, basename: str, seed: Any = None, prompt: str | None = None, extension: str = "png",
    info: str | None = None, pnginfo_section_name: str = "parameters", existing_info: dict[str, Any] | None = None,
) -> tuple[str, None]:  # fmt: skip
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{len(list(folder.iterdir())):05d}-{seed}.{extension}"
    texts = PngImagePlugin.PngInfo()
    for name, text in {**(existing_info or {}), **({pnginfo_section_name: info} if info else {})}.items():
        texts.add_text(name, str(text))
    image.save(file, pnginfo=texts)
    return str(file), None
