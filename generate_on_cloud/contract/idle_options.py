"""WebUI 1.10.1's options that change neither picture nor infotext here, by the names of its settings page and API.

They set where files are saved, how the page looks, what is cached and how to train; a cloud does not need them.
`generate_on_cloud.contract.options` has the options with an effect. Sources: WebUI's `/sdapi/v1/options` and the
settings of its built-in extensions; the last lines are Forge's.
"""

from collections.abc import Mapping
from types import MappingProxyType

_NAMES = """
samples_save samples_filename_pattern save_images_add_number save_images_replace_action grid_save grid_format
grid_extended_filename grid_only_if_multiple grid_prevent_empty_spots grid_zip_filename_pattern n_rows font
grid_text_active_color grid_text_inactive_color grid_background_color save_images_before_face_restoration
save_images_before_highres_fix save_images_before_color_correction save_mask save_mask_composite
export_for_4chan
img_downscale_threshold target_side_length img_max_size_mp use_original_name_batch use_upscaler_name_as_suffix
save_selected_only save_write_log_csv save_init_img temp_dir clean_temp_dir_at_start save_incomplete_images
notification_audio notification_volume save_txt
outdir_samples outdir_txt2img_samples outdir_img2img_samples outdir_extras_samples outdir_grids outdir_txt2img_grids
outdir_img2img_grids outdir_save outdir_init_images save_to_dirs grid_save_to_dirs use_save_to_dirs_for_ui
directories_filename_pattern directories_max_prompt_words
realesrgan_enabled_models dat_enabled_models set_scale_by_when_changing_upscaler face_restoration_unload
auto_launch_browser enable_console_prompts show_warnings show_gradio_deprecation_warnings memmon_poll_rate
samples_log_stdout multiple_tqdm enable_upscale_progressbar print_hypernet_extra list_hidden_files
disable_mmap_load_safetensors hide_ldm_prints dump_stacks_on_signal
profiling_explanation profiling_enable profiling_activities profiling_record_shapes profiling_profile_memory
profiling_with_stack profiling_filename api_enable_requests api_forbid_local_requests api_useragent
unload_models_when_training pin_memory save_optimizer_state save_training_settings_to_txt
dataset_filename_word_regex dataset_filename_join_string training_image_repeats_per_epoch training_write_csv_every
training_xattention_optimizations training_enable_tensorboard training_tensorboard_save_images
training_tensorboard_flush_every
sd_checkpoints_limit sd_checkpoints_keep_in_cpu sd_checkpoint_cache sd_checkpoint_hash
sd_checkpoint_dropdown_use_short sd_vae_explanation sd_vae_checkpoint_cache sd_vae_overrides_per_model_preferences
cross_attention_optimization enable_batch_seeds ddim_discretize persistent_cond_cache cache_fp16_weight
auto_vae_precision auto_vae_precision_bfloat16
img2img_editor_height img2img_sketch_default_brush_color img2img_inpaint_mask_brush_color
img2img_inpaint_sketch_default_brush_color img2img_inpaint_mask_high_contrast img2img_inpaint_mask_scribble_alpha
img2img_batch_show_results_limit img2img_batch_use_original_name img2img_autosize
interrogate_keep_models_in_memory interrogate_return_ranks interrogate_clip_num_beams interrogate_clip_min_length
interrogate_clip_max_length interrogate_clip_dict_limit interrogate_clip_skip_categories
interrogate_deepbooru_score_threshold deepbooru_sort_alpha deepbooru_use_spaces deepbooru_escape
deepbooru_filter_tags
extra_networks_show_hidden_directories extra_networks_dir_button_function extra_networks_hidden_models
extra_networks_card_width extra_networks_card_height extra_networks_card_text_scale extra_networks_card_show_desc
extra_networks_card_description_is_html extra_networks_card_order_field extra_networks_card_order
extra_networks_tree_view_style extra_networks_tree_view_default_enabled extra_networks_tree_view_default_width
extra_networks_add_text_separator ui_extra_networks_tab_reorder textual_inversion_print_at_load
textual_inversion_image_embedding_data_cache lora_show_all lora_hide_unknown_for_versions lora_in_memory_limit
lora_not_found_warning_console lora_not_found_gradio_warning
keyedit_precision_attention keyedit_precision_extra keyedit_delimiters keyedit_delimiters_whitespace keyedit_move
disable_token_counters include_styles_into_token_counters do_not_show_images js_modal_lightbox
js_modal_lightbox_initially_zoomed js_modal_lightbox_gamepad js_modal_lightbox_gamepad_repeat
sd_webui_modal_lightbox_icon_opacity sd_webui_modal_lightbox_toolbar_opacity gallery_height open_dir_button_choice
hires_button_gallery_insert compact_prompt_box samplers_in_dropdown dimensions_and_batch_together
hires_fix_show_sampler hires_fix_show_prompts txt2img_settings_accordion img2img_settings_accordion
interrupt_after_current localization quicksettings_list quick_setting_list ui_tab_order hidden_tabs
tabs_without_quick_settings_bar ui_reorder_list gradio_theme gradio_themes_cache show_progress_in_title send_seed
send_size enable_reloading_ui_scripts infotext_explanation disable_weights_auto_swap infotext_skip_pasting
infotext_styles show_progressbar live_previews_enable live_previews_image_format show_progress_grid
show_progress_every_n_steps live_preview_allow_lowvram_full live_preview_content
live_preview_refresh_period live_preview_fast_interrupt js_live_preview_in_modal_lightbox
prevent_screen_sleep_during_generation hide_samplers
postprocessing_disable_in_extras postprocessing_operation_order upscaling_max_images_in_cache
postprocessing_existing_caption_action disabled_extensions disable_all_extensions restore_config_state_file
settings_in_ui extra_options_txt2img extra_options_img2img extra_options_cols extra_options_accordion
canvas_hotkey_zoom canvas_hotkey_adjust canvas_hotkey_shrink_brush canvas_hotkey_grow_brush canvas_hotkey_move
canvas_hotkey_fullscreen canvas_hotkey_reset canvas_hotkey_overlap canvas_show_tooltip canvas_auto_expand
canvas_blur_prompt canvas_disabled_functions
hypertile_explanation
hypertile_max_depth_unet_secondpass hypertile_max_tile_unet_secondpass hypertile_swap_size_unet_secondpass
SWIN_torch_compile ldsr_steps ldsr_cached
forge_inference_memory forge_async_loading forge_pin_shared_memory forge_preset forge_canvas_plain
forge_canvas_toolbar_always forge_canvas_height forge_canvas_consistent_brush
"""

IDLE_OPTIONS = frozenset(_NAMES.split())
IDLE_PREFIX = "prioritized_callbacks_"
"""Of the options with the order of each callback, which WebUI makes from the extensions that it finds."""


def is_idle(name: str) -> bool:
    """Whether an option of this name changes neither picture nor infotext."""
    return name in IDLE_OPTIONS or name.startswith(IDLE_PREFIX)


AT_REST: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "sd_unet": ("Automatic", "None"),
        "enable_emphasis": (True,),
        "sd3_enable_t5": (False,),
        "fp8_storage": ("Disable",),
        "auto_backcompat": (True, False),
        "DAT_tile": (192,),
        "DAT_tile_overlap": (8,),
        "SWIN_tile": (192,),
        "SWIN_tile_overlap": (8,),
        "SCUNET_tile": (256,),
        "SCUNET_tile_overlap": (8,),
        "k_sched_type": ("Automatic",),
        "postprocessing_enable_in_main_ui": ([],),
        "dont_fix_second_order_samplers_schedule": (False,),
        "forge_try_reproduce": ("None",),
        "forge_unet_storage_dtype": ("Automatic",),
        "forge_additional_modules": ([],),
        "stealth_pnginfo_option": ("Disable",),
    }
)
"""Options that would change a picture or its file and are not supported -> values that change nothing.

With any other value they are refused.
"""
