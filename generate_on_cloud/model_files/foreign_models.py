"""Models that this version does not draw with, and adapters, by the names of their tensors or layers."""

import re
from collections.abc import Iterable

from generate_on_cloud.model_files.family_names import Family

# The first match wins. Names are dotted, or kohya's with underscores; `_` here stands for both.
_MODELS: tuple[tuple[Family, str], ...] = (
    (Family.CHROMA, r"distilled_guidance_layer"),
    (Family.HUNYUAN_VIDEO, r"individual_token_refiner"),
    (Family.HIDREAM, r"(?:double|single)_stream_blocks|caption_projection_\d"),
    (Family.QWEN_IMAGE, r"(?:^|_)transformer_blocks_\d+_(?:img|txt)_(?:mlp|mod)"),
    (Family.FLUX, r"(?:^|_)(?:double|single)_blocks_\d|single_transformer_blocks_\d"),
    (Family.SD3, r"joint_blocks_\d"),
    (Family.Z_IMAGE, r"(?:x|cap)_pad_token|cap_embedder|(?:context|noise)_refiner_\d"),
    (Family.Z_IMAGE, r"(?:^|_)layers_\d+_(?:adaLN_modulation|attention_(?:to_[qkv]|qkv))"),
    (Family.CASCADE, r"clip_txt_(?:pooled_)?mapper|lora_prior_unet"),
    (Family.AURA_FLOW, r"(?:^|_)(?:double|single)_layers_\d"),
    (Family.HUNYUAN_DIT, r"mlp_t5|pooler_positional_embedding"),
    (Family.PIXART, r"adaln_single|(?:^|_)t_block_1_"),
    (Family.LTX_VIDEO, r"patchify_proj"),
    (Family.WAN, r"(?:^|_)blocks_\d+_(?:self|cross)_attn_[qkvo]"),
    (Family.TRANSFORMER, r"^(?:lora_unet_|lora_transformer_|transformer_|diffusion_model_)*transformer_blocks_\d"),
    (Family.TRANSFORMER, r"^lora_te3_|^lora_transformer_|^transformer_(?!text_model|resblocks)"),
)
_ADAPTERS: tuple[tuple[Family, str], ...] = (
    (Family.CONTROLNET_LLLITE, r"^lllite_"),
    (Family.IP_ADAPTER, r"^(?:ip_adapter|image_proj|image_proj_model)_|^adapter_modules_"),
    (Family.T2I_ADAPTER, r"^(?:module_|adapter_)*body_\d+_(?:in_conv|block[12]|resnets|body|skep)"),
    (Family.MOTION, r"motion_modules?_\d"),
    (Family.CONTROL_LORA, r"^(?:control_model_)?lora_controlnet$"),
    (Family.CONTROLNET_UNION, r"^(?:control_model_)?(?:control_add_embedding|task_embedding)"),
    (Family.FOREIGN_CONTROLNET, r"^controlnet_(?:blocks|x_embedder|single_blocks)|^pos_embed_input"),
    (Family.TINY_VAE, r"^(?:taesd_|vae_)?(?:en|de)coder_(?:layers_)?\d+_(?:weight|bias|conv_\d)"),
    (Family.TINY_VAE, r"^\d+_conv_[024]_(?:weight|bias)$"),
    # Whatever their trainers wrapped around them. GFPGAN 1.0 needs layers that are CUDA programs.
    (Family.OTHER_FACE_RESTORER, r"(?:^|_)conv_body_first_0_"),
    (Family.CODEFORMER, r"(?:^|_)fuse_convs_dict_\d"),
    (Family.GFPGAN, r"(?:^|_)stylegan_decoder_style_mlp_"),
    (Family.OTHER_FACE_DETECTOR, r"(?:^|_)body_stage1_0_0_weight$"),
    (Family.FACE_DETECTOR, r"(?:^|_)LandmarkHead_\d_conv1x1_"),
    (Family.FACE_PARSER, r"(?:^|_)out_mask_conv_conv2d_"),
    (Family.DEPTH_ANYTHING, r"(?:^|_)depth_head_scratch_output_conv2_0_weight$"),
    (Family.MIDAS, r"(?:^|_)pretrained_model_patch_embed_backbone_stem_conv_weight$"),
    (Family.SURFACE_NORMALS, r"(?:^|_)decoder_out_conv_res1_6_weight$"),
    (Family.SEGMENTER, r"(?:^|_)decode_head_psp_modules_0_1_conv_weight$"),
    (Family.HED, r"(?:^|_)block5_projection_weight$"),
    (Family.LINE_DRAWING, r"(?:^|_)model2_0_conv_block_1_weight$"),
    (Family.ANIME_LINES, r"(?:^|_)model_model_1(?:_model_3){3}_model_5_weight$"),
    (Family.PIDINET, r"(?:^|_)block4_4_conv1_weight$"),
    (Family.BODY_POSE, r"(?:^|_)Mconv7_stage6_L2_weight$"),
    (Family.PART_POSE, r"(?:^|_)Mconv7_stage6_weight$"),
    (Family.MLSD, r"(?:^|_)block23_conv3_weight$"),
    (Family.HOLE_FILLER, r"(?:^|_)model_\d+_bn_l_"),
    (Family.T2I_ADAPTER, r"^transformer_layes_\d|^style_embedding$|^spatial_ch_projs"),
)


def _compiled(signs: tuple[tuple[Family, str], ...]) -> tuple[tuple[Family, re.Pattern[str]], ...]:
    return tuple((family, re.compile(sign)) for family, sign in signs)


_MODEL_SIGNS, _ADAPTER_SIGNS = _compiled(_MODELS), _compiled(_ADAPTERS)


def foreign_model(names: Iterable[str]) -> Family | None:
    """The foreign model that tensors or layers of these names belong to; None if none is recognized."""
    return _first(_MODEL_SIGNS, names)


def adapter(names: Iterable[str]) -> Family | None:
    """The kind of adapter, other than a network or a whole ControlNet, with tensors of these names; None if unknown."""
    return _first(_ADAPTER_SIGNS, names)


def _first(signs: tuple[tuple[Family, re.Pattern[str]], ...], names: Iterable[str]) -> Family | None:
    spelled = [name.replace(".", "_") for name in names]
    return next((family for family, sign in signs if any(sign.search(name) for name in spelled)), None)
