"""webuiapi: every call for WebUI itself and for ControlNet."""

import threading
from typing import Any

import webuiapi
from kit import HOST, PORT, REQUEST, STRENGTH, mask, picture, tell

api = webuiapi.WebUIApi(host=HOST, port=PORT)
said: dict[str, Any] = {"has_controlnet": api.has_controlnet}
pictures = {
    "txt2img": api.txt2img(**REQUEST).images,
    "img2img": api.img2img(images=[picture()], denoising_strength=STRENGTH, **REQUEST).images,
    "inpaint": api.img2img(
        images=[picture()], mask_image=mask(), inpainting_fill=1, denoising_strength=STRENGTH, **REQUEST
    ).images,
    "extra_single_image": api.extra_single_image(picture(), upscaler_1="Lanczos", upscaling_resize=2).images,
    "extra_batch_images": api.extra_batch_images([picture()] * 2, upscaler_1="Lanczos", upscaling_resize=2).images,
}
said["interrogate"] = api.interrogate(picture()).info
said["custom_get"] = len(api.custom_get("schedulers", baseurl=True))
drawn = api.txt2img(**REQUEST)
said["info"] = drawn.info
said["parameters"] = drawn.parameters
said["png_info"] = api.png_info(drawn.images[0]).info
for name in (
    "get_options", "get_cmd_flags", "get_progress", "get_samplers", "get_schedulers", "get_sd_vae", "get_upscalers",
    "get_latent_upscale_modes", "get_loras", "get_sd_models", "get_hypernetworks", "get_face_restorers",
    "get_realesrgan_models", "get_prompt_styles", "get_scripts", "get_embeddings", "get_memory", "refresh_checkpoints",
    "interrupt", "skip", "controlnet_version", "controlnet_model_list", "controlnet_module_list",
    "util_get_model_names", "util_get_sampler_names", "util_get_scheduler_names", "util_get_current_model",
):  # fmt: skip
    said[name] = getattr(api, name)()
said["detect"] = [one.size for one in api.controlnet_detect(images=[picture()], module="invert").images]
api.set_options({"CLIP_stop_at_last_layers": 2})
pictures["clip_skip"] = api.txt2img(**REQUEST).images
api.set_options({"CLIP_stop_at_last_layers": 1})
api.util_set_model(said["util_get_current_model"])
api.util_wait_for_ready(check_interval=0.1)
try:
    api.txt2img(**{**REQUEST, "sampler_name": "No such sampler"})
except RuntimeError as error:
    said["refusal"] = error.args

failures: list[Any] = []


def draw_for_long() -> None:
    try:
        api.txt2img(**{**REQUEST, "seed": -1, "steps": 150, "n_iter": 20})
    except RuntimeError as error:
        failures.append(error.args)


drawing = threading.Thread(target=draw_for_long)
drawing.start()
other = webuiapi.WebUIApi(host=HOST, port=PORT)
seen = other.get_progress()
while seen["state"]["sampling_step"] < 1 and drawing.is_alive():
    seen = other.get_progress()
said["seen"] = {name: seen["state"][name] for name in ("job_count", "sampling_steps")} | {"progress": seen["progress"]}
other.interrupt()
drawing.join()
said["interrupted"] = failures
tell(pictures, said)
