"""sd-backend-client: its WebUI backend, with its strict reading of every answer."""

from typing import Any

from kit import REQUEST, STRENGTH, URL, mask, picture, tell
from sd_backend_client.api.a1111_webservice import A1111Webservice
from sd_backend_client.api.webui.diffusion_request_body import DiffusionRequestBody

api = A1111Webservice(URL)


def body() -> DiffusionRequestBody:
    made = DiffusionRequestBody()
    names = {"sampler_name": "sampler", "scheduler": "scheduler"}
    for name, value in {**REQUEST, "denoising_strength": STRENGTH}.items():
        known = name if hasattr(made, name) else names.get(name, name)
        setattr(made, known, value)
    return made


said: dict[str, Any] = {"capabilities": api.get_capabilities()}
pictures = {
    "txt2img": api.txt2img(body())["images"],
    "img2img": api.img2img(picture(), None, body())["images"],
    "submitted": api.submit_txt2img(body()).wait().images,
    "upscaled": api.upscale(picture(), 128, 128)["images"],
    "submitted_upscale": api.submit_upscale(picture(), 128, 128).wait().images,
}
inpainting = body()
inpainting.init_images = [picture()]
inpainting.mask = mask()
pictures["inpaint"] = api.submit_inpaint(inpainting).wait().images
changing = body()
changing.init_images = [picture()]
pictures["submitted_img2img"] = api.submit_img2img(changing).wait().images
said["interrogate"] = api.interrogate(picture())
for name in (
    "login_check", "progress_check", "get_config", "get_styles", "get_scripts", "get_script_info", "get_samplers",
    "get_upscalers", "get_latent_upscale_modes", "get_hypernetworks", "get_models", "get_vae", "get_loras",
    "get_controlnet_version", "get_controlnet_models", "get_controlnet_modules", "get_controlnet_control_types",
    "get_controlnet_settings", "get_controlnet_preprocessors", "get_controlnet_type_categories", "list_checkpoints",
    "list_vaes", "list_loras", "list_hypernetworks", "list_samplers", "list_schedulers", "list_upscalers",
    "list_controlnet_models", "get_soft_inpainting_parameters", "refresh_checkpoints", "refresh_vae", "refresh_loras",
    "interrupt",
):  # fmt: skip
    said[name] = getattr(api, name)()
api.set_config({"CLIP_stop_at_last_layers": 2})
said["clip_skip"] = api.get_config()["CLIP_stop_at_last_layers"]
api.set_config({"CLIP_stop_at_last_layers": 1})
modules = {one.name: one for one in api.get_controlnet_preprocessors()}
pictures["preview"] = [api.controlnet_preprocessor_preview(picture(), None, modules["invert"])]
pictures["submitted_preview"] = api.submit_preprocessor_preview(picture(), modules["invert"]).wait().images
api.disconnect()
tell(pictures, said)
