"""Upscalers for pictures and latents, by WebUI 1.10.1's names: rows of tables."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from generate_on_cloud.contract.suggestions import same_name

LATENT_UPSCALERS = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)
"""These interpolate latents; for hires fix only."""

PIXEL_UPSCALERS = ("None", "Lanczos", "Nearest")
"""These resize decoded pictures; `None` is also Lanczos, in a single step."""

WEBUI_FILES: Mapping[str, str] = MappingProxyType(
    {
        "R-ESRGAN 4x+": "RealESRGAN_x4plus",
        "R-ESRGAN 4x+ Anime6B": "RealESRGAN_x4plus_anime_6B",
        "R-ESRGAN General 4xV3": "realesr-general-x4v3",
        "R-ESRGAN General WDN 4xV3": "realesr-general-wdn-x4v3",
        "R-ESRGAN AnimeVideo": "realesr-animevideov3",
        "R-ESRGAN 2x+": "RealESRGAN_x2plus",
        "ScuNET GAN": "ScuNET",
        "ScuNET PSNR": "ScuNET_PSNR",
        "SwinIR 4x": "SwinIR_4x",
        "DAT x2": "DAT_x2",
        "DAT x3": "DAT_x3",
        "DAT x4": "DAT_x4",
    }
)
"""WebUI's names of upscalers -> the stem of the file it keeps them in. Any other name is a file name."""

BUILT_IN = (*LATENT_UPSCALERS, *PIXEL_UPSCALERS, *WEBUI_FILES)
"""Every name that is no file's."""

MAX_NAME = 200
"""Maximum characters of an asset's name."""


PIXEL_UPSCALER_SCHEMA: dict[str, JsonValue] = {
    "maxLength": MAX_NAME,
    "pattern": r"\S",
    "not": {"enum": [*LATENT_UPSCALERS]},
    "examples": [*PIXEL_UPSCALERS, *WEBUI_FILES, "4x-UltraSharp.pth"],
}
"""JSON schema for the names that `read_upscaler` allows."""
HIRES_UPSCALER_SCHEMA: dict[str, JsonValue] = {
    "examples": [*LATENT_UPSCALERS, *PIXEL_UPSCALERS, *WEBUI_FILES, "4x-UltraSharp.pth"]
}
"""The same with `latent`; without hires fix any name passes, so there is nothing but examples."""


def built_in_upscaler(name: str) -> str | None:
    """The built-in upscaler of this name, in any case; None if it can only be a file."""
    return same_name(name, BUILT_IN)


def read_upscaler(name: str, *, latent: bool = False) -> str:
    """The upscaler called `name`: a built-in one in any case, or an uploaded file. `latent`: upscalers of latents, too.

    Raises:
        ValueError: it cannot be one; the text says what was received and what is allowed.
    """
    upscaler = built_in_upscaler(name) or name
    if name.strip() and len(name) <= MAX_NAME and (latent or upscaler not in LATENT_UPSCALERS):
        return upscaler
    built_in = ", ".join((*LATENT_UPSCALERS, *PIXEL_UPSCALERS) if latent else PIXEL_UPSCALERS)
    raise ValueError(f"unknown upscaler {name[:MAX_NAME]!r}; allowed: {built_in}, or the name of an uploaded upscaler")


def upscaler_file(name: str) -> str | None:
    """Name of the asset that `name` stands for; None if it needs no file."""
    upscaler = built_in_upscaler(name) or name
    if upscaler in (*LATENT_UPSCALERS, *PIXEL_UPSCALERS):
        return None
    return WEBUI_FILES.get(upscaler, upscaler)
