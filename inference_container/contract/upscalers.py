"""What hires fix can enlarge with, by the names WebUI 1.10.1 gives: rows of three tables."""

LATENT_UPSCALERS = (
    "Latent",
    "Latent (antialiased)",
    "Latent (bicubic)",
    "Latent (bicubic antialiased)",
    "Latent (nearest)",
    "Latent (nearest-exact)",
)
"""Interpolate latents."""

PIXEL_UPSCALERS = ("None", "Lanczos", "Nearest")
"""Resize decoded pictures, which are then encoded again; `None` is Lanczos too, in one step."""

MODEL_UPSCALERS = (
    "LDSR",
    "ESRGAN_4x",
    "R-ESRGAN 4x+",
    "R-ESRGAN 4x+ Anime6B",
    "R-ESRGAN General 4xV3",
    "R-ESRGAN General WDN 4xV3",
    "R-ESRGAN AnimeVideo",
    "R-ESRGAN 2x+",
    "ScuNET GAN",
    "ScuNET PSNR",
    "SwinIR 4x",
    "DAT x2",
    "DAT x3",
    "DAT x4",
)
"""Need weights of their own; not supported yet."""


def check_upscaler(name: str) -> None:
    """
    Raises:
        ValueError: an unknown name; the text says what was received and what is allowed.
    """
    allowed = (*LATENT_UPSCALERS, *PIXEL_UPSCALERS)
    if name not in allowed and name not in MODEL_UPSCALERS:
        raise ValueError(f"unknown upscaler {name!r}; allowed: {', '.join(allowed)}")
