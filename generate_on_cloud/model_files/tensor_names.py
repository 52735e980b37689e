"""Parses tensor names in network files, as kohya, LyCORIS, diffusers and PEFT write them, into layer and part."""

import re
from dataclasses import dataclass

from generate_on_cloud.model_files.network_kinds import PARTS


@dataclass(frozen=True)
class Place:
    layer: str
    """As kohya writes it: a prefix and the module's path, joined by underscores."""
    part: str
    """As WebUI names it, such as `lora_up.weight`."""


_KOHYA = re.compile(r"(?:lora|oft)_(?:unet|te[12]?)_[^.]+\.")
_OLD_PREFIX = re.compile(r"^oft_")
_ROOTS: tuple[tuple[str, str], ...] = (
    ("base_model.model.text_encoder_2.", "lora_te2_"),
    ("base_model.model.text_encoder.", "lora_te1_"),
    ("base_model.model.unet.", "lora_unet_"),
    ("base_model.model.", "lora_unet_"),
    ("text_encoder_2.", "lora_te2_"),
    ("text_encoder.", "lora_te1_"),
    ("unet.", "lora_unet_"),
)
"""How dotted names begin; PEFT may leave out which model was trained."""
_DOTTED = re.compile(
    r"\.(?:processor\.(?P<attention>to_(?:q|k|v|out))_lora\.(?P<old>up|down)\.weight"
    r"|(?P<text>to_(?:q|k|v|out))_lora\.(?P<old_text>up|down)\.weight"
    r"|lora(?:_linear_layer)?\.(?P<side>up|down)\.weight"
    r"|lora_(?P<peft>[AB])(?:\.default)?\.weight"
    r"|lora_magnitude_vector(?:\.default)?(?:\.weight)?"
    r"|lora_mid\.weight|alpha|scale|dora_scale|diff_b|b_norm|rescale|hada_t[12]|lokr_t2"
    rf"|{'|'.join(re.escape(part) for part in PARTS)})$"
)
"""How dotted names end: suffixes shared by several kinds, and the parts of each kind."""
_PEFT_SIDES = {"A": "down", "B": "up"}
_TEXT_PROJECTIONS = {"to_q": ".q_proj", "to_k": ".k_proj", "to_v": ".v_proj", "to_out": ".out_proj"}
_SAME_PARTS = {
    "lora_A.weight": "lora_down.weight",
    "lora_B.weight": "lora_up.weight",
    "lora_magnitude_vector": "dora_scale",
    "lora_magnitude_vector.weight": "dora_scale",
}


def place_of(name: str) -> Place:
    """The layer and part of the tensor `name`; in a name of unknown style, the last word is the part."""
    if _KOHYA.match(name):
        layer, _, part = name.partition(".")
        return Place(_OLD_PREFIX.sub("lora_", layer), _SAME_PARTS.get(part, part))
    match = _DOTTED.search(name)
    if match is None:
        layer, _, part = name.rpartition(".")
        return Place(layer, part)
    layer, part = name[: match.start()], match.group(0)[1:]
    part = _SAME_PARTS.get(part.replace(".default", ""), part)
    if attention := match["attention"]:
        layer, part = f"{layer}.{attention}{'.0' if attention == 'to_out' else ''}", f"lora_{match['old']}.weight"
    elif text := match["text"]:
        layer, part = layer + _TEXT_PROJECTIONS[text], f"lora_{match['old_text']}.weight"
    elif side := match["side"] or _PEFT_SIDES.get(match["peft"] or ""):
        part = f"lora_{side}.weight"
    return Place(_underscored(layer), part)


def _underscored(path: str) -> str:
    for root, prefix in _ROOTS:
        if path.startswith(root):
            return prefix + path.removeprefix(root).replace(".", "_")
    return path
