"""Flattens transparent pictures onto a background colour."""

from PIL import Image


def flatten(image: Image.Image, *, background: str = "#ffffff") -> Image.Image:
    """The picture as RGB: RGBA is composited over `background`, any other mode is converted (semantics §2.1).

    Raises:
        ValueError: `background` is not a colour.
    """
    if image.mode != "RGBA":
        return image.convert("RGB")
    flat = Image.new("RGB", image.size, background)
    flat.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return flat
