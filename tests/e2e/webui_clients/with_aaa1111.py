"""aaa1111: its synchronous and asynchronous calls; its answers are checked by type."""

import asyncio
from typing import Any

from aaa1111 import AAA1111
from kit import REQUEST, STRENGTH, URL, picture, png, tell

api = AAA1111(base_url=URL)
pictures = {
    "txt2img": api.txt2img(REQUEST).images,
    "img2img": api.img2img({**REQUEST, "init_images": [picture()], "denoising_strength": STRENGTH}).images,
    "async": asyncio.run(AAA1111(base_url=URL).atxt2img(REQUEST)).images,
}
extras = {"upscaler_1": "Lanczos", "upscaling_resize": 2}
batch = [{"data": png(picture()), "name": "a"}, {"data": png(picture()), "name": "b"}]
pictures["upscaled"] = [api.extra_single_image({"image": picture(), **extras}).image]
pictures["upscaled_batch"] = api.extra_batch_images({"imageList": batch, **extras}).images
said: dict[str, Any] = {}
for name in (
    "progress", "cmd_flags", "samplers", "upscalers", "latent_upscale_modes", "sd_models", "sd_vae", "hypernetworks",
    "face_restorers", "realesrgan_models", "prompt_styles", "embeddings", "memory", "scripts", "script_info", "loras",
    "get_options", "interrupt", "skip", "refresh_checkpoints", "unload_checkpoint", "reload_checkpoint",
    "refresh_loras",
):  # fmt: skip
    said[name] = getattr(api, name)()
LISTED = (
    "aprogress", "acmd_flags", "asamplers", "aupscalers", "alatent_upscale_modes", "asd_models", "asd_vae",
    "ahypernetworks", "aface_restorers", "arealesrgan_models", "aprompt_styles", "aembeddings", "amemory", "ascripts",
    "ascript_info", "aloras", "aget_options", "ainterrupt", "askip", "arefresh_checkpoints", "aunload_checkpoint",
    "areload_checkpoint", "arefresh_loras",
)  # fmt: skip


async def listed() -> list[Any]:
    return [await getattr(AAA1111(base_url=URL), name)() for name in LISTED]


said["async"] = dict(zip(LISTED, asyncio.run(listed()), strict=True))
api.set_options(CLIP_stop_at_last_layers=1)
tell(pictures, said)
