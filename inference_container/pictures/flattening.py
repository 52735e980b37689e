"""Transparent pictures on a background colour."""

from PIL import Image


def flatten(image: Image.Image, *, background: str = "#ffffff") -> Image.Image:
    """RGB: mode RGBA is laid over `background` by its own alpha, every other mode is converted (semantics §2.1).

    Raises:
        ValueError: `background` is no colour.
    """
    if image.mode != "RGBA":
        return image.convert("RGB")
    flat = Image.new("RGB", image.size, background)
    flat.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return flat
