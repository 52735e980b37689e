"""What a file must hold to be used as its type: a function for each, called at its upload and where it is loaded."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.model_files.families import Family, Shapes, detect_family
from generate_on_cloud.model_files.networks import network_kind
from generate_on_cloud.model_files.refusals import RefusedFileError

DRAWN: tuple[Family, ...] = (
    Family.SD1,
    Family.SD1_INPAINT,
    Family.INSTRUCT_PIX2PIX,
    Family.SD2,
    Family.SD2_INPAINT,
    Family.SDXL,
    Family.SDXL_INPAINT,
    Family.SDXL_REFINER,
)
"""Checkpoints this version draws with."""
VAE_PREFIXES = ("first_stage_model.", "vae.", "")
"""Below one of which a VAE file has its tensors."""
LDM_CONTROL = "control_model."
"""Below which a ControlNet may have its tensors, in LDM's layout."""
CONTROL_SIGNS = ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight")
"""Tensors of the layer that reads the map: LDM's name and diffusers'."""
CONTROL_DIFFERENCE = "lora_controlnet"
"""Of a Control-LoRA: the difference to a UNet, not a network."""
_CROSS_ATTENTION = "attn2.to_k.weight"
_OTHERS = (*DRAWN, Family.LORA, Family.CONTROLNET, Family.SD3, Family.FLUX)


def held(shapes: Shapes) -> str:
    """What these tensors are, in the words of a refusal."""
    kind = network_kind(shapes)
    return f"a {kind} network" if kind else detect_family(shapes).value


def checkpoint_family(shapes: Shapes) -> Family:
    """Of a whole checkpoint.

    Raises:
        RefusedFileError: this version draws with none such.
    """
    family = detect_family(shapes)
    if family not in DRAWN:
        raise RefusedFileError(
            f"it holds {family.value}, not a checkpoint this version draws with ({', '.join(DRAWN)})"
        )
    return family


def vae_prefix(shapes: Shapes) -> str:
    """The one of VAE_PREFIXES below which the tensors of a VAE are.

    Raises:
        RefusedFileError: there is none, or a whole checkpoint.
    """
    if detect_family(shapes) is not Family.VAE:
        raise RefusedFileError(f"it holds {held(shapes)}, not {Family.VAE.value}")
    return next(one for one in VAE_PREFIXES if not one or any(name.startswith(f"{one}decoder.") for name in shapes))


def controlnet_prefix(shapes: Shapes) -> str:
    """What the names of a ControlNet's tensors begin with: LDM_CONTROL, or nothing.

    Raises:
        RefusedFileError: it is none, or only the difference to a UNet.
    """
    prefix = LDM_CONTROL if any(name.startswith(LDM_CONTROL) for name in shapes) else ""
    if prefix + CONTROL_DIFFERENCE in shapes:
        raise RefusedFileError("it is a Control-LoRA; allowed: a whole ControlNet")
    if not any(prefix + sign in shapes for sign in CONTROL_SIGNS):
        signs = " or ".join(CONTROL_SIGNS)
        raise RefusedFileError(f"it holds {held(shapes)}, not a ControlNet (no tensor is named {signs})")
    return prefix


def controlnet_words(shapes: Shapes) -> int:
    """How many numbers a ControlNet's cross-attention reads of each token; 0 when it has none."""
    names = sorted(name for name, shape in shapes.items() if name.endswith(_CROSS_ATTENTION) and len(shape) == 2)
    return shapes[names[0]][1] if names else 0


def hypernetwork_widths(document: Mapping[Any, Any]) -> tuple[int, ...]:
    """The widths of attention a hypernetwork has layers for.

    Raises:
        RefusedFileError: there is none.
    """
    widths = tuple(width for width in document if type(width) is int and width > 0)
    if not widths:
        raise RefusedFileError("it holds no hypernetwork (no layers by the width of an attention)")
    return widths


def refuse_other_types(shapes: Shapes) -> None:
    """For types whose files are too various to know: only what is surely of another type is refused.

    Raises:
        RefusedFileError: it is, or holds nothing.
    """
    family = detect_family(shapes)
    if family in _OTHERS:
        raise RefusedFileError(f"it holds {family.value}")
    if not shapes:
        raise RefusedFileError("it holds no named tensor")
