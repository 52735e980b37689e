"""aaa1111: its synchronous and asynchronous calls; its answers are checked by type."""

import asyncio
from typing import Any

from aaa1111 import AAA1111
from kit import REQUEST, STRENGTH, URL, picture, tell

api = AAA1111(base_url=URL)
pictures = {
    "txt2img": api.txt2img(REQUEST).images,
    "img2img": api.img2img({**REQUEST, "init_images": [picture()], "denoising_strength": STRENGTH}).images,
    "async": asyncio.run(AAA1111(base_url=URL).atxt2img(REQUEST)).images,
}
said: dict[str, Any] = {}
for name in (
    "progress", "cmd_flags", "samplers", "upscalers", "latent_upscale_modes", "sd_models", "sd_vae", "hypernetworks",
    "face_restorers", "realesrgan_models", "prompt_styles", "embeddings", "memory", "scripts", "script_info", "loras",
    "get_options", "interrupt", "skip", "refresh_checkpoints", "unload_checkpoint", "reload_checkpoint",
    "refresh_loras",
):  # fmt: skip
    said[name] = getattr(api, name)()
api.set_options(CLIP_stop_at_last_layers=1)
tell(pictures, said)
