"""Parses tensor names in network files, as kohya, LyCORIS, diffusers and PEFT write them, into layer and part."""

import re
from dataclasses import dataclass

from generate_on_cloud.model_files.network_kinds import OUTPUT_MAGNITUDE, PARTS


@dataclass(frozen=True)
class Place:
    layer: str
    """As kohya writes it: a prefix and the module's path, joined by underscores."""
    part: str
    """As WebUI names it, such as `lora_up.weight`."""
    path: str = ""
    """The module's path as the file spells it, with its root."""


_KOHYA = re.compile(r"(?:(?:lora|oft)_(?:unet|te[12]?)_|lycoris_)[^.]+\.")
_OLD_PREFIX = re.compile(r"^(?:oft_|lycoris_(?=(?:unet|te[12]?)_))")
_LYCORIS = re.compile(r"^lycoris_")
"""Of LyCORIS's own trainer, which may leave out that it means the UNet."""
_MODELS: tuple[tuple[str, str], ...] = (
    *((f"text_encoders.{kind}.{level}", prefix)
      for kind, prefix in (("clip_l", "lora_te1_"), ("clip_h", "lora_te1_"), ("clip_g", "lora_te2_"))
      for level in ("transformer.", "")),
    ("text_encoder_2.", "lora_te2_"), ("text_encoder_1.", "lora_te1_"), ("text_encoder.", "lora_te1_"),
    ("lora_te2.", "lora_te2_"), ("lora_te1.", "lora_te1_"), ("lora_te.", "lora_te_"),
    ("model.diffusion_model.", "lora_unet_"), ("diffusion_model.", "lora_unet_"),
    ("lora_unet.", "lora_unet_"), ("unet.", "lora_unet_"),
)  # fmt: skip
"""How dotted names begin, as diffusers (`unet`), ComfyUI (`diffusion_model`, `text_encoders.clip_l`) and others have
them."""
_PEFT = "base_model.model."
_ROOTS = (*((_PEFT + root, prefix) for root, prefix in _MODELS), (_PEFT, "lora_unet_"), *_MODELS)
"""PEFT may leave out which model was trained."""
LAYER_PREFIXES = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_")
_DOTTED = re.compile(
    r"\.(?:processor\.(?P<attention>to_(?:q|k|v|out))_lora\.(?P<old>up|down)\.weight"
    r"|(?P<text>to_(?:q|k|v|out))_lora\.(?P<old_text>up|down)\.weight"
    r"|lora(?:_linear_layer)?\.(?P<side>up|down)\.weight"
    r"|lora_[AB](?:\.[\w-]+)?(?:\.weight)?"
    r"|lora_magnitude_vector(?:\.[\w-]+)?(?:\.weight)?"
    r"|lora_mid\.weight|alpha|scale|dora_scale|diff_b|b_norm|rescale|hada_t[12]|lokr_t2"
    rf"|{'|'.join(re.escape(part) for part in PARTS)})$"
)
"""How dotted names end: suffixes shared by several kinds, and the parts of each kind."""
_ADAPTER = re.compile(r"^(lora_(?:[AB]|magnitude_vector))(?:\.[\w-]+)??(?:\.weight)?$")
"""PEFT may put the adapter's name in the middle: `lora_A.default.weight`."""
_TEXT_PROJECTIONS = {"to_q": ".q_proj", "to_k": ".k_proj", "to_v": ".v_proj", "to_out": ".out_proj"}
_SAME_PARTS = {
    "lora_A": "lora_down.weight",
    "lora_B": "lora_up.weight",
    "lora_magnitude_vector": OUTPUT_MAGNITUDE,
}


def place_of(name: str) -> Place:
    """The layer and part of the tensor `name`; in a name of unknown style, the last word is the part."""
    if _KOHYA.match(name):
        layer, _, part = name.partition(".")
        return Place(_LYCORIS.sub("lora_unet_", _OLD_PREFIX.sub("lora_", layer)), _same_part(part), layer)
    match = _DOTTED.search(name)
    if match is None:
        layer, _, part = name.rpartition(".")
        return Place(layer, part, layer)
    layer, part = name[: match.start()], _same_part(match.group(0)[1:])
    if attention := match["attention"]:
        layer, part = f"{layer}.{attention}{'.0' if attention == 'to_out' else ''}", f"lora_{match['old']}.weight"
    elif text := match["text"]:
        layer, part = layer + _TEXT_PROJECTIONS[text], f"lora_{match['old_text']}.weight"
    elif side := match["side"]:
        part = f"lora_{side}.weight"
    return Place(_underscored(layer), part, layer)


def _same_part(part: str) -> str:
    adapter = _ADAPTER.match(part)
    return part if adapter is None else _SAME_PARTS[adapter[1]]


def _underscored(path: str) -> str:
    for root, prefix in _ROOTS:
        if path.startswith(root):
            return prefix + path.removeprefix(root).replace(".", "_")
    return path
