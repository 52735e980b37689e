"""What a file of each asset type must contain: one function per type, called at the upload and before loading."""

from collections.abc import Mapping
from typing import Any

from generate_on_cloud.model_files.checkpoint_names import VAE, checkpoint_names
from generate_on_cloud.model_files.families import detect_family
from generate_on_cloud.model_files.family_names import Family, Shapes
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
"""Families of checkpoints that this version draws with."""
NO_VAE = "it has no VAE; choose one with the option sd_vae, or upload one called as the checkpoint with .vae at the end"
TINY_VAE = "is a tiny VAE; allowed: a whole one here, and this one with sd_vae_decode_method or _encode_method TAESD"
LATENT_CHANNELS = 4
"""Channels of the latents of all families that are drawn with; the VAEs of Flux and Stable Diffusion 3 have 16."""
CONTROL_SIGNS = ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight")
"""The tensor of the layer that reads the control map, as LDM and diffusers name it."""
OTHER_CONTROLS = (
    Family.CONTROL_LORA,
    Family.CONTROLNET_UNION,
    Family.CONTROLNET_LLLITE,
    Family.FOREIGN_CONTROLNET,
    Family.T2I_ADAPTER,
    Family.IP_ADAPTER,
)
"""Models that the ControlNet extension takes and this version does not draw with."""
CONTROL_DIFFERENCE = "difference"
"""Name of a tensor that marks a ControlNet whose copies of the UNet's weights are differences from them."""
_LATENTS = "decoder.conv_in.weight"
"""The tensor of the layer that reads latents."""
_CROSS_ATTENTION = "attn2.to_k.weight"
_MAYBE = (Family.UNKNOWN, Family.VAE, Family.EMBEDDING, Family.DIFFUSERS_UNET, Family.LDM_UNET, Family.TRANSFORMER)
"""What the tensors of upscalers, taggers and interrogators may resemble."""


def held(shapes: Shapes) -> str:
    """How a refusal names these tensors."""
    kind = network_kind(shapes)
    return f"a {kind} network" if kind else detect_family(shapes).value


def checkpoint_family(shapes: Shapes) -> Family:
    """The family of a whole checkpoint.

    Raises:
        RefusedFileError: this version does not draw with such a checkpoint.
    """
    family = detect_family(shapes)
    if family not in DRAWN:
        raise RefusedFileError(
            f"it holds {family.value}, not a checkpoint this version draws with ({', '.join(DRAWN)})"
        )
    return family


def vae_names(shapes: Shapes) -> Mapping[str, str]:
    """The names of a VAE's tensors in its file, by their names without a prefix and in one spelling.

    Raises:
        RefusedFileError: the file is not a VAE, is a whole checkpoint, or is a VAE of another model.
    """
    if detect_family(shapes) is Family.TINY_VAE:
        raise RefusedFileError(f"it {TINY_VAE}")
    if detect_family(shapes) is not Family.VAE:
        raise RefusedFileError(f"it holds {held(shapes)}, not {Family.VAE.value}")
    spelled = checkpoint_names(shapes)
    prefix = VAE if any(name.startswith(f"{VAE}decoder.") for name in spelled) else ""
    names = {name.removeprefix(prefix): stored for name, stored in spelled.items() if name.startswith(prefix)}
    if _LATENTS not in names:
        raise RefusedFileError(f"it holds a VAE without {_LATENTS}, of another model (Wan, Qwen-Image, …)")
    first = shapes[names[_LATENTS]]
    if len(first) == 4 and first[1] != LATENT_CHANNELS:
        raise RefusedFileError(
            f"it holds a VAE with {first[1]} latent channels, for Flux or SD3; allowed: {LATENT_CHANNELS}"
        )
    return names


def has_vae(shapes: Shapes) -> bool:
    """Whether a checkpoint brings a VAE."""
    return any(name.startswith(f"{VAE}decoder.") for name in checkpoint_names(shapes))


def controlnet_prefix(shapes: Shapes) -> str:
    """The prefix of a ControlNet's tensor names: `control_model.` in LDM's layout, or what its trainer wrote; or empty.

    Raises:
        RefusedFileError: the file is not a ControlNet, or only the difference from a UNet.
    """
    prefixes = [name.removesuffix(sign) for sign in CONTROL_SIGNS for name in shapes if name.endswith(sign)]
    family = detect_family(shapes)
    if family in OTHER_CONTROLS:
        raise RefusedFileError(
            f"it is {family.value}, which this version does not draw with; allowed: a whole ControlNet"
        )
    if not prefixes or (prefixes[0] and not prefixes[0].endswith(".")):
        signs = " or ".join(CONTROL_SIGNS)
        raise RefusedFileError(f"it holds {held(shapes)}, not a ControlNet (no tensor is named {signs})")
    return prefixes[0]


def is_control_difference(shapes: Shapes) -> bool:
    """Whether the UNet's weights must be added to a ControlNet's."""
    return any(name.rpartition(".")[2] == CONTROL_DIFFERENCE for name in shapes)


def controlnet_words(shapes: Shapes) -> int:
    """The token width that a ControlNet's cross-attention reads; 0 if it has no cross-attention."""
    names = sorted(name for name, shape in shapes.items() if name.endswith(_CROSS_ATTENTION) and len(shape) == 2)
    return shapes[names[0]][1] if names else 0


def hypernetwork_widths(document: Mapping[Any, Any]) -> tuple[int, ...]:
    """The attention widths that a hypernetwork has layers for.

    Raises:
        RefusedFileError: it has no such layers.
    """
    widths = tuple(width for width in document if type(width) is int and width > 0)
    if not widths:
        raise RefusedFileError("it holds no hypernetwork (no entry has an attention width as its key)")
    return widths


def refuse_other_types(shapes: Shapes) -> None:
    """Refuse files that are certainly of another type; for types whose files vary too much to recognize.

    Raises:
        RefusedFileError: the file is of another type, or contains no named tensor.
    """
    family = detect_family(shapes)
    if family not in _MAYBE:
        raise RefusedFileError(f"it holds {family.value}")
    if not shapes:
        raise RefusedFileError("it holds no named tensor")
