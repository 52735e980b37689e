"""Settings of the host that change pictures: those that differ from the cloud's defaults travel with the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

DEFAULTS: Mapping[str, bool | int | float | str] = MappingProxyType(
    {
        "CLIP_stop_at_last_layers": 1,
        "sdxl_clip_l_skip": False,
        "eta_noise_seed_delta": 0,
        "randn_source": "GPU",
        "emphasis": "Original",
        "comma_padding_backtrack": 20,
        "pad_cond_uncond": False,
        "use_old_scheduling": False,
        "enable_prompt_comments": True,
        "inpainting_mask_weight": 1.0,
        "img2img_fix_steps": False,
        "img2img_color_correction": False,
        "img2img_extra_noise": 0.0,
        "img2img_background_color": "#ffffff",
        "overlay_inpaint": True,
        "return_grid": True,
        "return_mask": False,
        "return_mask_composite": False,
        "upscaler_for_img2img": "None",
        "ESRGAN_tile": 192,
        "ESRGAN_tile_overlap": 8,
        "sgm_noise_multiplier": False,
        "always_discard_next_to_last_sigma": False,
        "sigma_min": 0.0,
        "sigma_max": 0.0,
        "rho": 0.0,
        "eta_ddim": 0.0,
        "eta_ancestral": 1.0,
        "s_churn": 0.0,
        "s_tmin": 0.0,
        "s_tmax": 0.0,
        "s_noise": 1.0,
        "s_min_uncond": 0.0,
        "s_min_uncond_all": False,
        "skip_early_cond": 0.0,
        "uni_pc_variant": "bh1",
        "uni_pc_skip_type": "time_uniform",
        "uni_pc_order": 3,
        "uni_pc_lower_order_final": True,
        "beta_dist_alpha": 0.6,
        "beta_dist_beta": 0.6,
        "sd_noise_schedule": "Default",
        "enable_quantization": False,
        "tiling": False,
        "sdxl_crop_top": 0,
        "sdxl_crop_left": 0,
        "sdxl_refiner_low_aesthetic_score": 2.5,
        "sdxl_refiner_high_aesthetic_score": 6.0,
        "token_merging_ratio": 0.0,
        "token_merging_ratio_img2img": 0.0,
        "token_merging_ratio_hr": 0.0,
        "use_old_emphasis_implementation": False,
        "pad_cond_uncond_v0": False,
        "use_downcasted_alpha_bar": False,
        "use_old_karras_scheduler_sigmas": False,
        "use_old_hires_fix_width_height": False,
        "hires_fix_use_firstpass_conds": False,
        "no_dpmpp_sde_batch_determinism": False,
        "refiner_switch_by_sample_steps": False,
        "hypertile_enable_unet": False,
        "hypertile_enable_unet_secondpass": False,
        "hypertile_max_depth_unet": 3,
        "hypertile_max_tile_unet": 256,
        "hypertile_swap_size_unet": 3,
        "hypertile_enable_vae": False,
        "hypertile_max_depth_vae": 3,
        "hypertile_max_tile_vae": 128,
        "hypertile_swap_size_vae": 3,
        "batch_cond_uncond": True,
        "upcast_attn": False,
        "initial_noise_multiplier": 1.0,
        "sd_lora": "None",
        "extra_networks_default_multiplier": 1.0,
        "lora_functional": False,
        "lora_preferred_name": "Alias from file",
        "lora_add_hashes_to_infotext": True,
        "lora_bundled_ti_to_infotext": True,
        "textual_inversion_add_hashes_to_infotext": True,
        "add_model_hash_to_info": True,
        "add_model_name_to_info": True,
        "add_vae_hash_to_info": True,
        "add_vae_name_to_info": True,
        "add_user_name_to_info": False,
        "add_version_to_infotext": True,
        "sd_vae_encode_method": "Full",
        "sd_vae_decode_method": "Full",
        "show_progress_type": "Approx NN",
        "hires_fix_refiner_pass": "second pass",
        "sd_hypernetwork": "None",
        "face_restoration": False,
        "face_restoration_model": "CodeFormer",
        "code_former_weight": 0.5,
    }
)
"""The cloud's default of each option; a test compares this table with the service's contract."""


def changed_options(setting: Callable[[str], Any]) -> dict[str, Any]:
    """The options whose value on this machine differs from the cloud's default.

    Args:
        setting: the host's value of a setting, None where the host does not have it.
    """
    changed = {}
    for name, default in DEFAULTS.items():
        value = setting(name)
        if value is None or (isinstance(default, str) and value == ""):
            continue
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if value != default:
            changed[name] = value
    return changed
