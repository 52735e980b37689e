"""One spelling for the tensors of checkpoints and VAEs, whatever tool wrote them: LDM's, as in Stability AI's."""

import re
from collections.abc import Iterable, Mapping

from generate_on_cloud.model_files.family_names import Shape, Shapes

UNET, VAE = "model.diffusion_model.", "first_stage_model."
LABELS = f"{UNET}label_emb."
"""Prefix of the UNet's embedding of sizes, which XL and its refiner have."""
FIRST, SECOND, ALONE = "conditioner.embedders.0.", "conditioner.embedders.1.", "cond_stage_model."
"""Places of XL's text encoders and its refiner's, and of the only one of other families."""
HUGGING_FACE, OPEN_CLIP = "transformer.", "model."
"""What follows the place: the layouts of text encoders."""
_PARTS_OF_MODEL = "model|first_stage_model|cond_stage_model|conditioner"
_WRAPPED = re.compile(rf"^(?:module\.|_orig_mod\.|model\.(?=(?:{_PARTS_OF_MODEL})\.))+")
"""Prefixes of wrappers that were trained and saved along with the model."""
_FIRST_ENCODER = (
    r"cond_stage_model(?:\.clip_[lh])?|(?:conditioner\.)?embedders\.0|text_encoders\.clip_[lh]|clip_[lh]"
    r"|text_encoder|te1?"
)
_SECOND_ENCODER = r"(?:conditioner\.)?embedders\.1|(?:cond_stage_model|text_encoders)\.clip_g|clip_g|text_encoder_2|te2"
_LEVELS = r"(?:(?:transformer|model|text_model)\.)*?"
_HF = r"(?:embeddings|encoder\.layers|final_layer_norm)\..+|text_projection\.weight"
_OPEN = (
    r"(?:token_embedding|ln_final)\..+|transformer\.resblocks\..+"
    r"|positional_embedding|text_projection|logit_scale|attn_mask"
)
_TEXT = re.compile(
    rf"(?:(?P<second>{_SECOND_ENCODER})|(?:{_FIRST_ENCODER}))\.{_LEVELS}(?:(?P<hf>{_HF})|(?P<open>{_OPEN}))"
)
_VAE_ROOT = re.compile(r"^(?:first_stage_model|vae|autoencoder)\.(?=(?:encoder|decoder|quant_conv|post_quant_conv)\.)")
_ATTENTION = re.compile(
    r"^(?P<place>.*(?:en|de)coder\.(?:(?P<ldm>mid\.attn_1)|mid_block\.attentions\.0))\."
    r"(?P<part>norm|group_norm|q|query|to_q|k|key|to_k|v|value|to_v|proj_out|proj_attn|to_out|to_out\.0)\.(?P<kind>weight|bias)$"
)
_PARTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("norm", "group_norm", ("norm", "group_norm")),
    ("q", "to_q", ("q", "query", "to_q")),
    ("k", "to_k", ("k", "key", "to_k")),
    ("v", "to_v", ("v", "value", "to_v")),
    ("proj_out", "to_out.0", ("proj_out", "proj_attn", "to_out", "to_out.0")),
)
"""Parts of the VAE's attention: LDM's name, diffusers' name since 0.17, and all that files have."""
_SCALES = ("scale_weight", "weight_scale")
_QUANTIZED = (*_SCALES, "scale_input", "input_scale", "comfy_quant", "scaled_fp8")
_LDM_PARTS = {spelling: ldm for ldm, _, spellings in _PARTS for spelling in spellings}
_DIFFUSERS_PARTS = {spelling: diffusers for _, diffusers, spellings in _PARTS for spelling in spellings}


def checkpoint_names(shapes: Shapes) -> Mapping[str, str]:
    """The tensors' names in the file by their names in LDM's spelling; where two become one, the plainer one wins.

    Notes about quantized weights are left out.
    """
    scaled = bool(scale_names(shapes))
    bare = {name: _WRAPPED.sub("", name) for name in shapes if not (scaled and name.endswith(_QUANTIZED))}
    second = any(_is_second(name) for name in bare.values())
    place = FIRST if second or any(name.startswith(LABELS) for name in bare.values()) else ALONE
    found: dict[str, str] = {}
    for name, short in bare.items():
        spelled = _text_name(short, place) or vae_name(_VAE_ROOT.sub(VAE, short))
        if spelled not in found or name == spelled:
            found[spelled] = name
    return found


def scale_names(shapes: Shapes) -> Mapping[str, str]:
    """The names of the scales of weights in 8 bits, as ComfyUI quantizes them, by the weights' names."""
    found = {}
    for name in shapes:
        layer, _, last = name.rpartition(".")
        if last in _SCALES and f"{layer}.weight" in shapes:
            found[f"{layer}.weight"] = name
    return found


def checkpoint_shapes(shapes: Shapes) -> dict[str, Shape]:
    """The tensors' shapes by their names in LDM's spelling."""
    return {spelled: shapes[name] for spelled, name in checkpoint_names(shapes).items()}


def vae_name(name: str) -> str:
    """A VAE tensor's name with today's words for its attention, in the layout that the rest of the name has."""
    match = _ATTENTION.match(name)
    if match is None:
        return name
    part = (_LDM_PARTS if match["ldm"] else _DIFFUSERS_PARTS)[match["part"]]
    return f"{match['place']}.{part}.{match['kind']}"


def is_open_clip(names: Iterable[str], place: str) -> bool:
    """Whether the text encoder at `place` has OpenCLIP's names and not Hugging Face's."""
    return any(name.startswith(place + OPEN_CLIP) for name in names)


def _is_second(name: str) -> bool:
    match = _TEXT.fullmatch(name)
    return match is not None and match["second"] is not None


def _text_name(name: str, first: str) -> str | None:
    match = _TEXT.fullmatch(name)
    if match is None:
        return None
    place = SECOND if match["second"] else first
    if match["open"]:
        return place + OPEN_CLIP + match["open"]
    level = "" if match["hf"].startswith("text_projection") else "text_model."
    return place + HUGGING_FACE + level + match["hf"]
