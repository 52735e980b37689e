"""`/sdapi/v1/cmd-flags`: WebUI 1.10.1's command line with its defaults, as for a WebUI started with `--api --nowebui`.

Source of names and defaults: WebUI's `modules/cmd_args.py`. Folders of WebUI's machine are null where there are none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_ON = ("api", "nowebui")
_OFF = """
    f update_all_extensions skip_python_version_check skip_torch_cuda_test reinstall_xformers reinstall_torch
    update_check test_server log_startup skip_prepare_environment skip_install dump_sysinfo do_not_download_clip
    no_half no_half_vae no_progressbar_hiding allow_code medvram medvram_sdxl lowvram lowram
    always_batch_cond_uncond unload_gfpgan upcast_sampling share enable_insecure_extension_access xformers
    force_enable_xformers xformers_flash_attention deepdanbooru opt_split_attention opt_sub_quad_attention
    opt_split_attention_invokeai opt_split_attention_v1 opt_sdp_attention opt_sdp_no_mem_attention
    disable_opt_split_attention disable_nan_check use_ipex disable_model_loading_ram_optimization listen
    show_negative_prompt hide_ui_dir_config freeze_settings gradio_debug opt_channelslast autolaunch
    use_textbox_seed disable_console_progressbars enable_console_prompts disable_safe_unpickle api_log
    ui_debug_mode administrator no_gradio_queue skip_version_check no_hashing no_download_sd_model
    add_stop_route api_server_stop disable_all_extensions disable_extra_extensions skip_load_model_at_start
    unix_filenames_sanitization no_prompt_history
"""
_VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "loglevel": None,
        "data_dir": None,
        "models_dir": "/models",
        "config": None,
        "ckpt": None,
        "ckpt_dir": None,
        "vae_dir": None,
        "gfpgan_dir": None,
        "gfpgan_model": None,
        "max_batch_count": 16,
        "embeddings_dir": "/embeddings",
        "textual_inversion_templates_dir": None,
        "hypernetwork_dir": "/models/hypernetworks",
        "lora_dir": "/models/Lora",
        "localizations_dir": None,
        "precision": "autocast",
        "ngrok": None,
        "ngrok_region": "",
        "ngrok_options": {},
        "codeformer_models_path": "/models/Codeformer",
        "gfpgan_models_path": "/models/GFPGAN",
        "esrgan_models_path": "/models/ESRGAN",
        "bsrgan_models_path": "/models/BSRGAN",
        "realesrgan_models_path": "/models/RealESRGAN",
        "dat_models_path": "/models/DAT",
        "clip_models_path": None,
        "sub_quad_q_chunk_size": 1024,
        "sub_quad_kv_chunk_size": None,
        "sub_quad_chunk_threshold": None,
        "use_cpu": (),
        "port": 7860,
        "ui_config_file": None,
        "freeze_settings_in_sections": None,
        "freeze_specific_settings": None,
        "ui_settings_file": None,
        "gradio_auth": None,
        "gradio_auth_path": None,
        "gradio_img2img_tool": None,
        "gradio_inpaint_tool": None,
        "gradio_allowed_path": (),
        "styles_file": (),
        "theme": None,
        "vae_path": None,
        "api_auth": None,
        "device_id": None,
        "cors_allow_origins": None,
        "cors_allow_origins_regex": None,
        "tls_keyfile": None,
        "tls_certfile": None,
        "disable_tls_verify": None,
        "server_name": None,
        "gradio_queue": True,
        "subpath": None,
        "timeout_keep_alive": 30,
        "filenames_max_length": 128,
    }
)


def flags() -> dict[str, Any]:
    """Value by flag, with the dashes of their names as underscores."""
    return {**dict.fromkeys(_OFF.split(), False), **dict.fromkeys(_ON, True), **_VALUES}
